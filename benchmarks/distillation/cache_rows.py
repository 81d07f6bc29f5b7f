"""Cache formats beside each other: bytes a token, how fast they are made and read; and what samples cost in the gradient."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.distillation.pairs import write_pair, write_rows
from benchmarks.distillation.process import Worker
from benchmarks.shapes import GPT2_VOCABULARY

EQUAL = 1e-5
"""Most that the loss from an exact cache may lie from the live teacher's, relative."""
UNBIASED = 1.5
"""Most that a bias may be of what chance alone makes it, on average, in so many repeats."""
SAMPLES = (16, 64, 256)
"""Token ids a position."""
WRITTEN_SAMPLES = 64
DRAWS = ("threshold", "independent")
DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True)
class CacheCase:
    """The rows of the teacher of random weights, and the positions on which the gradient is measured."""

    threads: int
    rows: int = 16
    length: int = 512
    micro: int = 4
    repeats: int = 16
    nano_rows: int = 4
    positions: int = 128
    vocabulary: int = 131_072
    width: int = 64


def cache_rows(case: CacheCase, work: Path | None) -> dict[str, Any]:
    """Formats, in the dtype that the teacher computes in; then the gradient. `work` is a folder on the disk to measure."""
    formats, gradients = _formats(case, work), _gradients(case)
    return {
        "case": case.__dict__,
        "formats": formats,
        "gradient": gradients,
        "kept": all(row["loss_apart"] <= EQUAL for row in formats if "loss_apart" in row)
        and all(row["bias"] <= UNBIASED * row["chance"] for row in gradients),
    }


def _formats(case: CacheCase, work: Path | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        pair, rows = Path(scratch) / "pair", Path(scratch) / "rows.npy"
        write_pair(pair, GPT2_VOCABULARY)
        write_rows(rows, case.rows, case.length, GPT2_VOCABULARY)
        for dtype in DTYPES:
            told = {"pair": str(pair), "rows": str(rows), "dtype": dtype, "micro": case.micro, "threads": case.threads}
            with Worker("cache", told) as worker:
                forms: list[dict[str, Any]] = [{"form": "live"}, {"form": "exact"}]
                if dtype == DTYPES[0]:  # samples are the same few bytes, whatever the teacher computes in
                    forms.append({"form": "sampled", "k": WRITTEN_SAMPLES})
                found += [{"dtype": dtype, **form, **worker.turn(folder=scratch, **form)} for form in forms]
    return found


def _gradients(case: CacheCase) -> list[dict[str, Any]]:
    pairs: dict[str, dict[str, Any]] = {
        "nano": {"rows": case.nano_rows, "length": 256},
        "random": {"positions": case.positions, "vocabulary": case.vocabulary, "width": case.width},
    }
    found: list[dict[str, Any]] = []
    for pair, told in pairs.items():
        with Worker("bias", {"pair": pair, "threads": case.threads, **told}) as worker:
            found += [
                {"pair": pair, **worker.turn(k=k, draw=draw, repeats=case.repeats)} for draw in DRAWS for k in SAMPLES
            ]
    return found
