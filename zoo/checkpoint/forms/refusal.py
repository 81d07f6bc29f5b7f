"""What is said of a folder, a repository or a file that is no checkpoint of safetensors: one paragraph, with what to give."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any

from zoo.checkpoint.forms.lines import base_of, gguf_line, merge_line, out_of, quoted
from zoo.checkpoint.forms.pointers import partly_fetched
from zoo.checkpoint.forms.table import GGUF, Form, find
from zoo.errors import AdapterAlone, FileMissing, ForeignWeights, InputError

ADAPTER = "adapter_config.json"
UNMERGED = (
    "PROMPT_TUNING",
    "P_TUNING",
    "MULTITASK_PROMPT_TUNING",
    "PREFIX_TUNING",
    "ADAPTION_PROMPT",
    "CARTRIDGE",
    "CPT",
)
"""Kinds of peft that put something before the prompt or beside a layer, and have nothing to merge."""
PART = re.compile(r"-(\d{5})-of-\d{5}\.gguf$", re.IGNORECASE)
SHOWN = 4
SMALL = 1 << 20
"""Bytes of an adapter_config.json at most."""


def foreign_weights(names: Iterable[str], where: str, hub: bool = False) -> ForeignWeights | None:
    """Why nothing of `where` can be run, by the names of its files (paths inside it), and the line that converts it.

    None where no name is of a form that is known. `where` is a folder, or with `hub` the id of a repository.
    """
    found = find(sorted(names))
    if found is None:
        return None
    if found.form is GGUF:
        return _gguf(where, found.file)
    what = f"{where} holds no safetensors but {found.form.what} ({found.file})."
    fetch = f"Fetch it (`hf download {quoted(where)} --local-dir DIR`), then in DIR: " if hub else ""
    return ForeignWeights(what, fetch + _hint(found.form, "." if hub else where, found.file))


def other_form(folder: Path) -> InputError | None:
    """Why a folder without config.json or without safetensors is no checkpoint, where its files say so."""
    depths = ("*", "*/*")
    names = [path.relative_to(folder).as_posix() for depth in depths for path in folder.glob(depth) if path.is_file()]
    return (
        partly_fetched(folder)
        or adapter_alone(folder)
        or _several(folder, names)
        or foreign_weights(names, str(folder))
    )


def _several(folder: Path, names: Iterable[str]) -> FileMissing | None:
    """Of a trainer's folder, or another that holds checkpoints in folders: which there are."""
    inside = [name.partition("/")[0] for name in names if name.count("/") == 1 and name.endswith("/config.json")]
    inside.sort(key=lambda name: (len(name), name))  # checkpoint-50 before checkpoint-100
    if not inside:
        return None
    more = f" and {len(inside) - SHOWN} more" if len(inside) > SHOWN else ""
    return FileMissing(
        f"{folder} is no checkpoint itself, but holds some: {', '.join(map(repr, inside[:SHOWN]))}{more}.",
        f"Give one of them: --model {quoted(str(folder / inside[-1]))}",
    )


def adapter_alone(folder: Path) -> AdapterAlone | None:
    """Why a folder with an adapter_config.json is not run: it may hold its base model too, and which is meant is not said."""
    if not (folder / ADAPTER).is_file():
        return None
    weights = any((folder / name).is_file() for name in ("model.safetensors", "model.safetensors.index.json"))
    own_tokenizer = (folder / "tokenizer.json").is_file() or (folder / "tokenizer_config.json").is_file()
    return adapter_of(_read(folder / ADAPTER), str(folder), own_tokenizer, weights)


def adapter_of(adapter: dict[str, Any], where: str, own_tokenizer: bool, beside: bool = False) -> AdapterAlone:
    """As `adapter_alone`, by what adapter_config.json says; `beside`: whole weights lie there too."""
    kind, base = str(adapter.get("peft_type") or "LORA"), base_of(adapter)
    of = f" of {base!r}" if base else ""
    what = f"{where} is an adapter ({kind[:40]!r}{of}), which is no model by itself."
    if beside:
        what = f"{where} holds both a model and an adapter ({kind[:40]!r}{of}), and not which of the two is meant."
    if kind in UNMERGED:
        return AdapterAlone(what, "This kind cannot be merged into its base model: evaluate the base alone.")
    without = f"Move {ADAPTER} away to run the model without it, or merge it" if beside else "Merge it first"
    unnamed = "" if base else " (its base model is not named: put its id or folder there)"
    return AdapterAlone(what, f"{without}{unnamed}, with peft installed: {merge_line(where, adapter, own_tokenizer)}")


def given_file(path: Path) -> InputError:
    """What to give instead of a file: the folder it lies in where that is a checkpoint, else what the file's form asks for."""
    folder = quoted(str(path.parent))
    if path.suffix.lower() == ".gguf":
        return _gguf(str(path.parent), path.name)
    if path.name.startswith("adapter") and (refusal := adapter_alone(path.parent)):
        return refusal
    if path.suffix == ".safetensors" or path.name in IN_A_CHECKPOINT or path.name.endswith(".index.json"):
        return FileMissing(f"{path} is a file of a checkpoint.", f"Give the folder that it lies in: --model {folder}")
    found = find([path.name])
    if found is not None:
        hint = _hint(found.form, str(path.parent), path.name)
        return ForeignWeights(f"{path} is no folder of safetensors but {found.form.what}.", hint)
    return FileMissing(
        f"{path} is a file, not a folder.", "Give the folder that holds config.json and the safetensors files."
    )


IN_A_CHECKPOINT = (
    "config.json",
    "pytorch_model.bin",
    "tokenizer.json",
    "plan.json",
    "minizoo.json",
    "generation_config.json",
)


def _gguf(where: str, file: str) -> ForeignWeights:
    what = (
        f"{Path(where) / file if Path(where).is_dir() else f'{file} of {where}'} is GGUF, which minizoo does not read."
    )
    if (part := PART.search(file)) is not None:
        first = f"{file[: part.start(1)]}00001{file[part.end(1) :]}"
        whole = f"{file[: part.start()]}.gguf"
        line = f"llama-gguf-split --merge {quoted(str(PurePath(where) / first))} {quoted(whole)}"
        return ForeignWeights(f"{what} It is one part of several.", f"Join them first, with llama.cpp: {line}")
    return ForeignWeights(
        what,
        "This line unpacks it (`pip install gguf` first); a GGUF does not say how text is cut into tokens, so put the "
        f"tokenizer of the model that it was made from into the new folder where you have it: {gguf_line(where, file)}",
    )


def _hint(form: Form, where: str, file: str) -> str:
    """The form's hint with names put in, quoted."""
    path = PurePath(where) / file
    names = {"where": where, "file": str(path), "folder": str(path.parent), "out": out_of(PurePath(where).name)}
    return form.hint.format_map({name: quoted(text) for name, text in names.items()})


def _read(path: Path) -> dict[str, Any]:
    """The adapter's configuration; an empty one where it cannot be read."""
    try:
        content: Any = json.loads(path.read_bytes()[:SMALL])
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
