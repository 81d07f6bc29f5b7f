"""Everything that a local folder says of the model in it, as plain data: dimensions, what is stored, tokenizer, origin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.arch.config_keys import ConfigView
from zoo.arch.hf_config import dims_of, read_config
from zoo.arch.parameters import count_parameters, flops_per_token, kv_bytes_per_token
from zoo.arch.runnable import class_obstacle, quantisation_obstacle, stated_quantisation
from zoo.checkpoint.context_length import context_length
from zoo.checkpoint.forms.names import pickled_entry
from zoo.checkpoint.forms.refusal import other_form
from zoo.checkpoint.head import config_as_stored
from zoo.checkpoint.model_ref import ModelRef
from zoo.checkpoint.plan_folder import LAYER_WIDTHS, virtual_parent
from zoo.checkpoint.small_files import MORE_TEMPLATES, TEMPLATES, tokenizer_files
from zoo.checkpoint.weight_files import weight_files
from zoo.errors import ConfigMissing, InputError, UnsupportedArchitecture
from zoo.files import json_object
from zoo.folders.stored import stored_in

Facts = dict[str, Any]


def describe(ref: ModelRef) -> Facts:
    """What the folder of `ref` holds; None is what it does not say, `notes` what stands in the way of anything.

    Raises ConfigMissing for a folder that is no model in any form, InvalidConfig for a config.json that cannot be read.
    """
    folder = ref.folder or Path()
    facts: Facts = {"name": ref.shown, "id": ref.id, "folder": str(folder.resolve()), "parent": ref.parent, "notes": []}
    facts |= {"form": "safetensors", "plan": _plan(folder)}
    try:
        config = config_as_stored(read_config(folder), folder)
    except ConfigMissing:
        other = other_form(folder)
        if other is None:
            raise
        facts |= {"form": "no checkpoint", "notes": [str(other)]}
        return facts
    return facts | _of_config(config, folder) | _of_weights(facts, config, folder) | _of_tokenizer(folder)


def _of_config(config: Mapping[str, Any], folder: Path) -> Facts:
    view, quantised = ConfigView(config), stated_quantisation(config)
    obstacle = class_obstacle(config) or (quantisation_obstacle(quantised, "bfloat16") if quantised else None)
    return {
        "model_type": view.model_type,
        "hf_class": view.value("hf_class"),
        "quantised": quantised and (quantised.method or "method unnamed"),
        "cannot_run": obstacle.why if obstacle else None,
        "layer_widths": config.get(LAYER_WIDTHS),
        "head": _head(view.value("tied_embeddings")),
        **_dimensions(config, folder),
        **_context(config, folder),
    }


def _dimensions(config: Mapping[str, Any], folder: Path) -> Facts:
    """The dimensions and what follows from them; nothing where layers are unlike or the class has no closed form here."""
    if LAYER_WIDTHS in config:
        return {"dimensions": None, "parameters": None}
    try:
        dims = dims_of(config, folder)
    except UnsupportedArchitecture:
        return {"dimensions": None, "parameters": None}
    return {
        "dimensions": dims.model_dump(mode="json"),
        "parameters": count_parameters(dims).total,
        "kv_bytes_per_token_bf16": kv_bytes_per_token(dims),
        "flops_per_token": flops_per_token(dims),
    }


def _context(config: Mapping[str, Any], folder: Path) -> Facts:
    try:
        context = context_length(config, folder)
    except InputError as error:
        return {"context": None, "context_note": str(error)}
    return {"context": context.tokens, "context_note": context.note}


def _head(tied: Any) -> str | None:
    return {True: "the embedding table", False: "a table of its own"}.get(tied)


def _of_weights(facts: Facts, config: Mapping[str, Any], folder: Path) -> Facts:
    """What is stored, by headers alone; where nothing is, why not."""
    names = [path.name for path in folder.iterdir() if path.is_file()]
    stored: Facts = {"weight_files": None, "stored_parameters": None, "stored_bytes": None, "stored_dtypes": None}
    try:
        parent = virtual_parent(folder)
        if parent is not None:
            note = f"A plan without weights of its own: it reads those of {parent}, and --backend pruned runs it."
            return stored | {
                "form": "plan",
                "plan": {**(facts["plan"] or {}), "parent_folder": str(parent)},
                "notes": [note],
            }
        files = weight_files(folder)
        found = stored_in(folder, config)
    except InputError as error:
        entry = pickled_entry(names)
        if entry is None:
            return stored | {"form": "no whole checkpoint", "notes": [str(error)]}
        size = sum(path.stat().st_size for path in folder.glob("pytorch_model*.bin"))
        note = "Pickled weights are converted to safetensors once, when the model is first run."
        return stored | {"form": "pickled", "weight_files": entry, "stored_bytes": size, "notes": [note]}
    return {
        "weight_files": files.described,
        "stored_parameters": found.parameters,
        "stored_bytes": found.weights.total,
        "stored_dtypes": found.dtypes,
        "notes": [files.told] if files.told else [],
    }


def _of_tokenizer(folder: Path) -> Facts:
    files = [path.relative_to(folder).as_posix() for path in tokenizer_files(folder)]
    templates = [name for name in TEMPLATES if (folder / name).is_file()]
    templates += [path.name for pattern in MORE_TEMPLATES for path in sorted(folder.glob(pattern))]
    if not templates and json_object(folder / "tokenizer_config.json").get("chat_template"):
        templates = ["tokenizer_config.json"]
    return {"tokenizer": [name for name in files if name not in templates or name == "tokenizer_config.json"],
            "chat_template": templates}  # fmt: skip


def _plan(folder: Path) -> Facts | None:
    """What `prune` wrote beside the model: how units were chosen."""
    if not (folder / "plan.json").is_file():
        return None
    chosen = json_object(folder / "plan.json").get("chosen")
    method = chosen.get("method") if isinstance(chosen, Mapping) else None
    return {"chosen_by": method if isinstance(method, str) else None}
