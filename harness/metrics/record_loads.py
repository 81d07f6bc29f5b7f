"""What a speed record ran, and on which GPU, by the registry's dimensions and the data sheets: not by its own word."""

from __future__ import annotations

from typing import cast

from harness.metrics.rooflines import Load, gpu_of
from harness.records.record import Record, Subject
from harness.records.speed_record import SpeedFacts
from zoo.arch.dims import Dense, Hybrid
from zoo.arch.gpus import Gpu
from zoo.arch.parameters import BITS
from zoo.registry.loader import load_registry
from zoo.registry.stored import quantization_of

LARGEST = 10**9
"""Tokens and batches beyond it are no numbers of a point."""


def load_of_record(record: Record, speed: SpeedFacts) -> Load | str:
    """What the point runs; in words why that is not known."""
    dims = _dims(record.subject)
    if isinstance(dims, str):
        return dims
    dtype = record.setting.dtype
    if dtype not in BITS:
        return f"the bytes of {dtype} are not known here"
    shape = speed.input_tokens, speed.output_tokens, 1 if speed.batch is None else speed.batch
    if not all(number is not None and 0 < number < LARGEST for number in shape):
        return "the record does not tell the lengths of its requests"
    return Load(dims, dtype, speed.batch, cast("int", speed.input_tokens), cast("int", speed.output_tokens))


def gpu_of_record(record: Record, speed: SpeedFacts) -> Gpu | None:
    """The data sheet of the GPU that the record names; None where there is none, or where it names two GPUs."""
    return gpu_of(speed.machine) if record.setting.gpu and not two_gpus(record, speed) else None


def two_gpus(record: Record, speed: SpeedFacts) -> str | None:
    """In words, the two products that a record names; a slice of a GPU (MIG) goes by the whole one's name, and more."""
    shown, product = record.setting.gpu, speed.machine.get("product")
    if not shown or not product:
        return None
    names = sorted((_plain(shown), _plain(str(product))), key=len)
    return None if names[1].startswith(names[0]) else f"it names two GPUs: {shown}, and {product} that was measured"


def _dims(subject: Subject) -> Dense | Hybrid | str:
    """The registry's dimensions of a model whose weights are those that it names, or were drawn at them."""
    model = load_registry().models.get(subject.id) if subject.kind == "registry" else None
    if model is None:
        return f"{subject.id} is no model of the registry"
    theirs = {"random", "minizoo" if model.weights else None, model.hub.id if model.hub else None}
    if subject.source not in theirs:
        return f"the weights of {subject.id} are not those that the registry names"
    if quantization_of(model) is not None:
        return f"{subject.id} is quantised, and the record does not tell what its weights are held in"
    return model.architecture


def _plain(product: str) -> str:
    return product.strip().removeprefix("NVIDIA ").strip().lower()
