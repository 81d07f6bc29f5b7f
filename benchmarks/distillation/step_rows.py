"""A step of the trainer beside the sum of its parts, and beside a step of TRL's trainer on the same models and rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.distillation.pairs import write_pair, write_rows
from benchmarks.distillation.process import Worker

EQUAL = 1e-5
"""Most that the first step's loss and gradient norm may lie from TRL's, relative: the same weights, the same rows."""
STAYS_EQUAL = 1e-4
"""The same of later steps, behind optimizer steps that round differently."""
RATE = 1e-4
VOCABULARIES = (50_257, 131_072)
"""GPT-2's, and Mistral-NeMo's: the head is then two thirds of the student."""


@dataclass(frozen=True)
class StepCase:
    """A step is `batch` rows of `length` tokens, `micro` at once, in fp32."""

    threads: int
    vocabulary: int
    steps: int = 3
    batch: int = 4
    micro: int = 2
    length: int = 512


def step_rows(case: StepCase, trl: Path | None) -> dict[str, Any]:
    """Steps of the trainer and their parts, turn about; then those of TRL, where there is its interpreter."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        told = {**asdict(case), "pair": str(scratch / "pair"), "rows": str(scratch / "rows.npy"), "rate": RATE}
        parameters = write_pair(scratch / "pair", case.vocabulary)
        write_rows(scratch / "rows.npy", case.batch * case.steps, case.length, case.vocabulary)
        with Worker("step", told) as whole, Worker("parts", told) as apart:
            turns = [(whole.turn(), apart.turn()) for _ in range(case.steps)]
        steps, parts = [own for own, _ in turns], [part for _, part in turns]
        found: dict[str, Any] = {
            **asdict(case), "parameters": parameters, "dtype": "float32",
            "step": _summary(steps), "parts": _parts(parts),
        }  # fmt: skip
        found["step_to_forwards_and_backward"] = _over(found, "teacher", "student")
        found["step_to_these_and_optimizer"] = _over(found, "teacher", "student", "optimizer")
        found["kept"] = True
        if trl:
            with Worker("trl", told, trl) as other:
                found |= _beside_trl(steps, other.turn())
    return found


def _beside_trl(ours: list[dict[str, Any]], theirs: dict[str, Any]) -> dict[str, Any]:
    steps = theirs.pop("steps")
    apart = {
        name: [abs(a[name] - b[name]) / abs(b[name]) for a, b in zip(ours, steps, strict=True)]
        for name in ("loss", "grad_norm")
    }
    equal = all(values[0] <= EQUAL and max(values) <= STAYS_EQUAL for values in apart.values())
    told = {**theirs, **_summary(steps), "apart": apart, "equal": equal}
    mine = _summary(ours)
    told["times_as_fast"] = told["seconds"] / mine["seconds"]
    told["times_as_fast_by_cpu_seconds"] = told["cpu_seconds"] / mine["cpu_seconds"]
    told["memory_ratio"] = told["bytes_above_models"] / mine["bytes_above_models"]
    return {"trl": told, "kept": equal}


def _summary(steps: list[dict[str, Any]]) -> dict[str, Any]:
    """The fastest step (the first one makes the optimizer's moments), and the most memory of all above both models' weights:
    gradients, moments, activations, logits."""
    models = steps[0]["bytes_of_process"] - steps[0]["bytes"]
    peak = max(step["bytes_of_process"] for step in steps)
    return {
        "seconds": _least(steps, "seconds"),
        "cpu_seconds": _least(steps, "cpu_seconds"),
        "bytes_of_process": peak,
        "bytes_above_models": peak - models,
        "loss": [step["loss"] for step in steps],
        "grad_norm": [step["grad_norm"] for step in steps],
    }


def _parts(turns: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        part: {
            "seconds": _least(turns, "seconds", _of(part)),
            "cpu_seconds": _least(turns, "cpu_seconds", _of(part)),
        }
        for part in ("teacher", "student", "optimizer")
    }


def _of(part: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda turn: turn[part]


def _least(
    turns: list[dict[str, Any]], name: str, of: Callable[[dict[str, Any]], dict[str, Any]] = lambda turn: turn
) -> float:
    return min(of(turn)[name] for turn in turns)


def _over(found: dict[str, Any], *parts: str) -> dict[str, float]:
    """The step's seconds over the sum of these parts' seconds, of both clocks."""
    return {
        clock: found["step"][clock] / sum(found["parts"][part][clock] for part in parts)
        for clock in ("seconds", "cpu_seconds")
    }
