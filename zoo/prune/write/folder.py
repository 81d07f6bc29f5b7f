"""The small files of a pruned folder: config.json, what goes with the parent, plan.json, minizoo.json and the model card."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.arch.windows import kept_kinds
from zoo.checkpoint.plan_folder import LAYER_WIDTHS
from zoo.checkpoint.small_files import small_files
from zoo.checkpoint.weight_files import NAMED
from zoo.prune.parent import Parent
from zoo.prune.plan import Plan
from zoo.prune.write.card import model_card


def describe_child(plan: Plan, parent: Parent, folder: Path, with_weights: bool) -> dict[str, Any]:
    """Write all files but the weights and their index; return the content of minizoo.json."""
    note: dict[str, Any] = {
        "made_by": "minizoo prune",
        "parent": {"name": parent.name, "digest": parent.digest},
        "plan_digest": plan.digest(),
        "chosen": plan.chosen.model_dump(),
        "head_residual": any(kept.merged for kept in plan.layers),
        "parameters": expected_count(plan, parent),
        "parent_folder": None if with_weights else str(parent.folder.resolve()),
    }
    for path in small_files(parent.folder):
        copy = folder / path.relative_to(parent.folder)
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, copy)
    write_json(folder / "config.json", child_config(plan, parent))
    (folder / "plan.json").write_text(plan.text())
    write_json(folder / "minizoo.json", note)
    (folder / "README.md").write_text(model_card(plan, parent, with_weights))
    return note


def child_config(plan: Plan, parent: Parent) -> dict[str, Any]:
    """The child's config.json: the parent's with the cut dimensions, `head_dim` always explicit.

    Where layers differ in width the widest stands in the usual keys and `minizoo_layer_widths` lists all; only the
    `pruned` backend reads that.
    """
    shape = plan.shape
    config = {key: value for key, value in parent.config.items() if key != NAMED}
    config.update(
        hidden_size=shape.hidden,
        intermediate_size=max(shape.ffn),
        num_attention_heads=max(shape.heads),
        num_key_value_heads=shape.parent.num_kv_heads,
        num_hidden_layers=shape.num_layers,
        head_dim=shape.parent.head_dim,
    )
    config.update(kept_kinds(parent.config, [kept.parent for kept in plan.layers]))
    if not shape.uniform:
        config[LAYER_WIDTHS] = {"ffn": list(shape.ffn), "heads": list(shape.heads)}
    return config


def expected_count(plan: Plan, parent: Parent) -> int:
    """The child's parameters in closed form, by the parent that is there: an older plan does not know of its biases."""
    return replace(plan.shape, parent=parent.dims).parameters


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file for people to read."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
