"""From a listing to what is copied: every tensor checked against the bytes that the file really has, under its final name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.arch.config_keys import ConfigView
from zoo.arch.hf_config import dims_of
from zoo.arch.parameters import count_parameters
from zoo.checkpoint.head import HEAD
from zoo.checkpoint.pickled.archive import Archive
from zoo.checkpoint.pickled.reader_process import Listed
from zoo.checkpoint.plan_folder import LAYER_WIDTHS
from zoo.checkpoint.safetensors import BYTES, nbytes
from zoo.errors import InputError, PickleUnreadable, UnsupportedDtype, WeightsMismatch, WeightsMissing

DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32", "int16": "I16",
    "int8": "I8", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
"""torch's dtypes → those of safetensors."""
WRAPPERS = ("state_dict", "model", "module", "model_state_dict")
"""Keys under which trainers keep a model's tensors, apart from what else they save."""
PARALLEL = "module."
"""What DataParallel and its kin put before every name."""
NOT_COUNTED = ("inv_freq", "masked_bias", "attn.bias", "attention.bias")
"""Endings of buffers that older checkpoints store."""


@dataclass(frozen=True)
class Source:
    """A tensor in a pickled file: `start` counts bytes from the file's beginning, `strides` elements."""

    name: str
    file: Path
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """Bytes that it takes as safetensors."""
        return nbytes(self.dtype, self.shape)

    @property
    def contiguous(self) -> bool:
        """Whether its bytes stand in the file as safetensors have them."""
        expected = 1
        for length, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if length != 1 and stride != expected:
                return False
            expected *= length
        return True

    @property
    def span(self) -> int:
        """Bytes from its first element's to its last one's, in the file."""
        return BYTES[self.dtype] * (
            1 + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        )


@dataclass(frozen=True)
class Sources:
    """All tensors to write, and what was made of their names."""

    tensors: list[Source]
    remarks: list[str] = field(default_factory=list[str])
    """What is to be told of them."""


def sources(archives: Sequence[Archive], listings: Sequence[Sequence[Listed]], config: Mapping[str, Any]) -> Sources:
    """The tensors of all files.

    Raises PickleUnreadable for what lies in the file elsewhere than it says, or is no state dict; UnsupportedDtype;
    WeightsMismatch for a name that two files have; WeightsMissing for fewer parameters than config.json calls for.
    """
    found: dict[str, Source] = {}
    remarks: list[str] = []
    for archive, listed in zip(archives, listings, strict=True):
        for name, tensor in _named(archive.file, listed, remarks):
            if name in found:
                raise WeightsMismatch(
                    f"{name!r} is in {found[name].file.name} and in {archive.file.name} of {archive.file.parent}.",
                    "The folder mixes two saves: fetch the checkpoint again.",
                )
            found[name] = _checked(archive, name, tensor)
    if not found:
        raise WeightsMissing(f"{archives[0].file} holds no tensor.", "Fetch the file again.")
    tensors = list(_without_prefix(found, remarks).values())
    tensors = _without_second_head(tensors, config)
    _check_enough(tensors, config, archives[0].file)
    return Sources(tensors, list(dict.fromkeys(remarks)))


def _named(file: Path, listed: Sequence[Listed], remarks: list[str]) -> list[tuple[str, Listed]]:
    """Names of a file's tensors: a state dict's, or those of the one that stands alone under a trainer's key."""
    stems = {tensor.path[:-1] for tensor in listed}
    if stems <= {()}:
        return [(tensor.path[0], tensor) for tensor in listed]
    (*_, stem) = stems
    if len(stems) == 1 and len(stem) == 1 and stem[0] in WRAPPERS:
        remarks.append(f"its tensors stand under {stem[0]!r}")
        return [(tensor.path[1], tensor) for tensor in listed]
    tops = sorted({tensor.path[0] for tensor in listed if len(tensor.path) > 1})
    raise PickleUnreadable(
        f"{file} is no state dict of a model: it holds tensors under {', '.join(map(repr, tops[:4]))}, and which are the "
        "model's is not said.",
        "Load it with the code that wrote it and write the model with save_pretrained.",
    )


def _checked(archive: Archive, name: str, tensor: Listed) -> Source:
    """The tensor, if it lies wholly in one storage of the file, each number of it once."""
    dtype = DTYPES.get(tensor.dtype)
    if dtype is None:
        raise UnsupportedDtype(
            f"{name!r} in {archive.file} is {tensor.dtype}, which minizoo does not convert.",
            "Take the model's safetensors, or the model that it was quantised from.",
        )
    numbers = (*tensor.shape, *tensor.strides, tensor.offset, tensor.storage_start)
    item, count = BYTES[dtype], math.prod(tensor.shape)
    source = Source(
        name, archive.file, dtype, tensor.shape, tensor.strides, tensor.storage_start + tensor.offset * item
    )
    sane = name not in ("", "__metadata__") and len(tensor.shape) == len(tensor.strides) and min(numbers) >= 0
    if sane and count == 0:
        return source
    room = archive.storages.get(tensor.storage_start, -1)
    if not sane or room != tensor.storage_bytes or tensor.offset * item + source.span > room or count * item > room:
        raise PickleUnreadable(
            f"{name!r} does not lie in {archive.file} as its pickle says (shape {tensor.shape}, strides {tensor.strides}).",
            "Fetch the file again.",
        )
    return source


def _without_prefix(found: dict[str, Source], remarks: list[str]) -> dict[str, Source]:
    if not all(name.startswith(PARALLEL) and name != PARALLEL for name in found):
        return found
    remarks.append(f"{PARALLEL!r} was taken off every name")
    short = {name.removeprefix(PARALLEL): source for name, source in found.items()}
    return {name: Source(name, s.file, s.dtype, s.shape, s.strides, s.start) for name, s in short.items()}


def _without_second_head(tensors: list[Source], config: Mapping[str, Any]) -> list[Source]:
    """As save_pretrained: a head that is the embedding table itself is written once, where config.json ties the two."""
    head = next((tensor for tensor in tensors if tensor.name == HEAD), None)
    if head is None or ConfigView(config).value("tied_embeddings") is not True:
        return tensors
    place = (head.file, head.start, head.dtype, head.shape, head.strides)
    twins = [t for t in tensors if t is not head and (t.file, t.start, t.dtype, t.shape, t.strides) == place]
    return [tensor for tensor in tensors if tensor is not head] if twins else tensors


def _check_enough(tensors: Sequence[Source], config: Mapping[str, Any], file: Path) -> None:
    """Raise WeightsMissing where a model of these dimensions has more parameters than are here.

    Which one is missing is for the loader to say, of any class; this says it before gigabytes are written.
    """
    if LAYER_WIDTHS in config:
        return
    try:
        expected = count_parameters(dims_of(config, file.parent)).total
    except InputError:
        return
    stored = sum(math.prod(t.shape) for t in tensors if not t.name.endswith(NOT_COUNTED))
    if stored < expected:
        raise WeightsMissing(
            f"{file.parent} holds {stored:,} parameters where its config.json calls for {expected:,}.",
            "Fetch the checkpoint again; it may lack a shard, or config.json may be another model's.",
        )
