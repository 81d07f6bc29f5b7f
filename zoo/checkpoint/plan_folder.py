"""Folders that `minizoo prune` wrote and `from_pretrained` cannot load: unlike layers, or a plan without weights of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zoo.errors import FileMissing, InvalidPlan

LAYER_WIDTHS = "minizoo_layer_widths"
"""Key of config.json under which the widths of unlike layers stand: {ffn: […], heads: […]}."""


def virtual_parent(folder: Path) -> Path | None:
    """The parent's folder where `folder` holds a plan and no weights; None for any other folder.

    Raises FileMissing where that parent is gone, InvalidPlan for a note that cannot be read.
    """
    note = folder / "minizoo.json"
    if not (folder / "plan.json").is_file() or not note.is_file():
        return None
    try:
        named: Any = json.loads(note.read_text("utf-8")).get("parent_folder")
    except (ValueError, AttributeError) as error:
        raise InvalidPlan(f"{note} cannot be read ({error}).", "Prune again.") from None
    if not isinstance(named, str):
        return None
    if not Path(named).is_dir():
        raise FileMissing(f"{folder} holds no weights, and its parent {named} is not there.", "Bring the parent back.")
    return Path(named)
