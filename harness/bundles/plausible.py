"""Whether a record that was measured elsewhere can be true: its figures beside its own trials, its steps beside the roofline.

The roofline is worked out anew, from the registry's dimensions and the data sheets of zoo/arch/gpus.yaml. What the record
says of it is not read: whoever alters a time can alter that too.
"""

from __future__ import annotations

import math
from typing import Any, cast

from harness.bundles.beside import beside_contradictions
from harness.bundles.figures import contradictions, measured_samples, rows_of
from harness.metrics.rooflines import Load, Machine, above_roofline, by_data_sheet, gpu_of
from harness.metrics.speed_metrics import statistics
from harness.records.record import Record, Subject
from harness.records.speed_record import Reason, SpeedFacts
from zoo.arch.dims import Dense, Hybrid
from zoo.arch.parameters import BITS, Dtype
from zoo.registry.loader import load_registry
from zoo.registry.stored import quantization_of

OWN_RATES = 10.0
"""How much faster than its own machine's rates a step may be: they prove nothing, so an order of magnitude."""
LARGEST = 10**9
"""Tokens and batches beyond it are no numbers of a point."""


def doubts(record: Record, trials: Any) -> tuple[Reason, ...]:
    """Why the record cannot be true; nothing where no doubt shows. `trials` is the Arrow table beside it, None for none.

    `figures-differ`: it contradicts its trials, or itself. `above-roofline`: a median or a mean is better than its GPU's data
    sheet allows, or ten times better than the rates that its own machine reached. What could not be checked: `unchecked`.
    """
    if record.status != "ok":
        return ()
    if record.beside is not None:
        return tuple(_differs(text) for text in beside_contradictions(record.beside))
    return _doubts_of_speed(record, record.speed, trials) if record.speed is not None else ()


def unchecked(record: Record) -> str | None:
    """Why a record's figures could not be held against a data sheet; None where they were, or there are none."""
    if record.status != "ok":
        return None
    if record.beside is not None:
        return (
            "the seconds of scoring are not held against a roofline: a record does not tell how many tokens were scored"
        )
    if record.speed is None or not record.speed.statistics:
        return None
    load = _load(record, record.speed)
    if isinstance(load, str):
        return f"not held against a roofline: {load}"
    if load.batch is None:
        return "the rates of an open loop are not held against a roofline: its batch changes from step to step"
    return _machine(record, record.speed, load.dtype)[1]


def _doubts_of_speed(record: Record, speed: SpeedFacts, trials: Any) -> tuple[Reason, ...]:
    rows = [] if trials is None else rows_of(trials)
    if rows is None:
        return (_differs("its trials are no table of requests and their times"),)
    samples = measured_samples(rows, speed.slo)
    found = [_differs(text) for text in contradictions(record, speed, rows, samples)]
    if other := _two_gpus(record, speed):
        found.append(_differs(other))
    load = _load(record, speed)
    machine = None if isinstance(load, str) else _machine(record, speed, load.dtype)[0]
    if isinstance(load, Load) and machine is not None:
        told = above_roofline((*statistics(samples), *speed.statistics), load, machine)
        found += [Reason(code="above-roofline", text=text) for text in dict.fromkeys(told)]
    return tuple(found)


def _differs(text: str) -> Reason:
    return Reason(code="figures-differ", text=text)


def _load(record: Record, speed: SpeedFacts) -> Load | str:
    """What the point runs; in words why that is not known."""
    dims = _dims(record.subject)
    if isinstance(dims, str):
        return dims
    if record.setting.dtype not in BITS:
        return f"the bytes of {record.setting.dtype} are not known here"
    shape = speed.input_tokens, speed.output_tokens, 1 if speed.batch is None else speed.batch
    if not all(number is not None and 0 < number < LARGEST for number in shape):
        return "the record does not tell the lengths of its requests"
    dtype = cast("Dtype", record.setting.dtype)
    return Load(dims, dtype, speed.batch, cast("int", speed.input_tokens), cast("int", speed.output_tokens))


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


def _machine(record: Record, speed: SpeedFacts, dtype: Dtype) -> tuple[Machine | None, str | None]:
    """What bounds the steps, and why that is no data sheet; None where it is one."""
    gpu = gpu_of(speed.machine) if record.setting.gpu and not _two_gpus(record, speed) else None
    if gpu is not None:
        return by_data_sheet(gpu, dtype), None
    what = f"GPU ({record.setting.gpu})" if record.setting.device.startswith("cuda") else "processor"
    for told in speed.achieved:
        rates = told.bytes_per_s, told.flops_per_s or 1.0
        if told.against == "measured" and all(math.isfinite(rate) and rate > 0 for rate in rates):
            name = "ten times what its own machine copied and multiplied"
            own = Machine(name, told.bytes_per_s, told.flops_per_s or None, OWN_RATES, 0)
            return (
                own,
                f"no data sheet of its {what} is held: only beside the rates that its machine reached by its own word",
            )
    return None, f"not held against a roofline: no data sheet of its {what} is held, and it states no rates of its own"


def _two_gpus(record: Record, speed: SpeedFacts) -> str | None:
    """The two products that a record names; a slice of a GPU (MIG) goes by the whole one's name, and more."""
    shown, product = record.setting.gpu, speed.machine.get("product")
    if not shown or not product:
        return None
    names = sorted((_plain(shown), _plain(str(product))), key=len)
    return (
        None if names[1].startswith(names[0]) else f"it names two GPUs: {shown}, and {product} that its figures are of"
    )


def _plain(product: str) -> str:
    return product.strip().removeprefix("NVIDIA ").strip().lower()
