"""Folders that `minizoo prune` wrote and `from_pretrained` cannot load: unlike layers, or a plan without weights of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zoo.errors import AmbiguousFolder, FileMissing, InvalidPlan
from zoo.files import cache_folder

LAYER_WIDTHS = "minizoo_layer_widths"
"""Key of config.json under which the widths of unlike layers stand: {ffn: […], heads: […]}."""
WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin*", "*.gguf")
"""Names of files that are weights of the folder's own."""


def virtual_parent(folder: Path) -> Path | None:
    """The parent's folder where `folder` holds a plan and no weights; None for any other folder.

    A parent that its note names by a relative path is looked for from `folder`, so that both can move together.

    Raises FileMissing where that parent is gone, InvalidPlan for a note that cannot be read, AmbiguousFolder where the folder
    has weights as well.
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
    own = next((path.name for pattern in WEIGHTS for path in sorted(folder.glob(pattern))), None)
    if own is not None:
        raise AmbiguousFolder(
            f"{folder} is a plan on the weights of {named}, and holds weights of its own ({own}): which are meant is not said.",
            "Move the weights away to run the plan, or plan.json and minizoo.json to run the weights.",
        )
    parent = Path(named) if Path(named).is_absolute() else (folder / named).resolve()
    if not parent.is_dir():
        was_converted = parent.parent == cache_folder() / "converted"
        hint = (
            "Evaluate its parent once: the converted weights come back there."
            if was_converted
            else "Bring the parent back."
        )
        raise FileMissing(f"{folder} holds no weights, and its parent {parent} is not there.", hint)
    return parent
