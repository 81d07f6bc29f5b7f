"""A folder compared with an entry of the registry: config.json as its weights bear it out, and how many numbers are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.arch.config_comparison import Difference, compare
from zoo.arch.hf_config import read_config
from zoo.arch.parameters import count_parameters
from zoo.checkpoint.forms.names import pickled_entry
from zoo.checkpoint.forms.table import find
from zoo.checkpoint.head import told_of_head, with_stored_head
from zoo.checkpoint.plan_folder import virtual_parent
from zoo.checkpoint.safetensors import BYTES, StoredTensor, stored_tensors
from zoo.checkpoint.weight_files import weight_files
from zoo.errors import InputError
from zoo.registry.loader import Model

NO_PARAMETERS = (".rotary_emb.inv_freq", ".attention.masked_bias")
"""Endings of buffers that older checkpoints store and no class of today reads."""
FLOATS = {dtype for dtype in BYTES if "F" in dtype}


@dataclass(frozen=True)
class FolderCheck:
    """How a folder differs from the entry, which weights that is about (None: it has none), and what else is to be told."""

    differences: list[Difference]
    weights: str | None = None
    parameters: int | None = None
    """Numbers that are stored, a tied table once; None of quantised weights."""
    told: tuple[str, ...] = ()


def check_folder(model: Model, folder: Path) -> FolderCheck:
    """Compare config.json and, where there are any, the stored weights with the model's entry.

    Raises ConfigMissing and InvalidConfig. Weights that cannot be read are told, and config.json is compared alone.
    """
    config: Mapping[str, Any] = read_config(folder)
    if virtual_parent(folder) or not any(folder.glob("*.safetensors*")):
        return FolderCheck(compare(model.architecture, config), told=_told_without_safetensors(folder))
    told: list[str] = []
    try:
        files = weight_files(folder)
        told += [files.told] if files.told else []
        stored_config, tensors = with_stored_head(config, stored_tensors(files.read))
    except InputError as error:
        told.append(f"Its weights were not compared. {error}")
        return FolderCheck(compare(model.architecture, config), told=tuple(told))
    told += [told_of_head(folder)] if stored_config is not config else []
    differences = compare(model.architecture, stored_config)
    counted, expected = _parameters(tensors), count_parameters(model.architecture).total
    if counted is not None and counted != expected:
        differences.append(Difference("parameters", "stored tensors", expected, counted))
    return FolderCheck(differences, files.described, counted, tuple(told))


def _told_without_safetensors(folder: Path) -> tuple[str, ...]:
    """Which other weights a folder holds, none of which is opened here; nothing of a plan and of a folder without weights."""
    if virtual_parent(folder):
        return ()
    names = [path.name for path in folder.iterdir() if path.is_file()]
    if (entry := pickled_entry(names)) is not None:
        return (
            f"Its weights are {entry}, which is not opened to be looked at: config.json alone was compared. "
            "`minizoo eval` converts them once.",
        )
    found = find(names)
    return (f"It holds {found.form.what} ({found.file}): config.json alone was compared.",) if found else ()


def _parameters(tensors: Mapping[str, StoredTensor]) -> int | None:
    """Numbers in all tensors that are parameters; None where some are no floats, as in quantised weights."""
    total = 0
    for name, tensor in tensors.items():
        if name.endswith(NO_PARAMETERS):
            continue
        if tensor.dtype not in FLOATS:
            return None
        total += tensor.size // BYTES[tensor.dtype]
    return total
