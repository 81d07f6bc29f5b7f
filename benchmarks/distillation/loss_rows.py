"""The chunked loss beside the dense one at each size: equal first, then memory and time, turn about."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.distillation.losses import apart
from benchmarks.distillation.memory import available
from benchmarks.distillation.process import Worker

EQUAL = 1e-5
"""Most that loss and gradients may lie apart in fp32, relative to the dense ones."""
LEAST_SAVING = 8.0
SLOWEST = 1.0
"""At the size with a bar: times the dense peak, and the dense seconds."""
DENSE_TENSORS = 6
"""Tensors of logits that must have room before the dense formula is begun; it takes five."""


@dataclass(frozen=True)
class Size:
    """So many tokens at once over a vocabulary."""

    tokens: int
    vocabulary: int
    barred: bool = False
    """Whether memory and time have a bar here."""


SIZES = (Size(4096, 32_000), Size(4096, 131_072, barred=True), Size(2048, 262_144))
"""Llama 2's vocabulary, Mistral-NeMo's, Gemma 3's."""


@dataclass(frozen=True)
class LossCase:
    """What is the same at all sizes."""

    threads: int
    turns: int
    device: str = "cpu"
    dtype: str = "float32"
    student_width: int = 512
    teacher_width: int = 1024


def loss_rows(case: LossCase, sizes: Sequence[Size], trl: Path | None) -> Iterator[dict[str, Any]]:
    """A row a size; `trl` is the interpreter that has TRL, whose loss is then measured too."""
    return (_row(case, size, trl) for size in sizes)


def _row(case: LossCase, size: Size, trl: Path | None) -> dict[str, Any]:
    forms: dict[str, dict[str, Any]] = {"dense": {}, "chunked": {}}
    if trl:
        forms["trl"] = {"python": trl}
    room = DENSE_TENSORS * 4 * size.tokens * size.vocabulary
    if case.device == "cpu" and available() < room:
        raise SystemExit(f"The dense loss at {size.vocabulary:,} needs {room / 2**30:.0f} GiB free.")
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        told = {**asdict(case), "tokens": size.tokens, "vocabulary": size.vocabulary}
        workers = {
            form: stack.enter_context(Worker("loss", {**told, "form": form}, **more)) for form, more in forms.items()
        }
        first = {form: _with_gradients(worker, scratch / form) for form, worker in workers.items()}
        apart_by = {form: _apart(scratch, form, first) for form in forms if form != "dense"}
        found: dict[str, list[dict[str, Any]]] = {form: [first[form]] for form in forms}
        for _ in range(case.turns - 1):
            for form, worker in workers.items():
                found[form].append(worker.turn())
    row = {**told, **{form: _summary(turns) for form, turns in found.items()}, "apart": apart_by}
    row["equal"] = all(value <= EQUAL for value in apart_by["chunked"].values()) or case.dtype != "float32"
    row["saving"] = _ratio(row, "bytes_beside_gradient")
    row["times_as_fast"] = _ratio(row, "seconds")
    row["times_as_fast_by_cpu_seconds"] = _ratio(row, "cpu_seconds")
    row["kept"] = row["equal"] and (not size.barred or _within(row))
    return row


def _with_gradients(worker: Worker, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    return worker.turn(gradients=str(folder))


def _apart(scratch: Path, form: str, first: dict[str, dict[str, Any]]) -> dict[str, float]:
    dense = first["dense"]["loss"]
    parts = {
        part: apart(scratch / f"dense/{part}.npy", scratch / f"{form}/{part}.npy") for part in ("hidden", "weight")
    }
    return {"loss": abs(first[form]["loss"] - dense) / abs(dense), **parts}


def _summary(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """Seconds of the fastest turn, and the first turn's memory: later ones find what the allocator kept."""
    return {
        **{name: turns[0][name] for name in ("loss", "bytes_beside_gradient", "bytes_of_process")},
        "seconds": min(turn["seconds"] for turn in turns),
        "cpu_seconds": min(turn["cpu_seconds"] for turn in turns),
    }


def _ratio(row: dict[str, Any], name: str) -> float:
    return row["dense"][name] / row["chunked"][name]


def _within(row: dict[str, Any]) -> bool:
    return row["saving"] >= LEAST_SAVING and row["times_as_fast"] >= SLOWEST
