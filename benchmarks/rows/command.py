"""A step as a command line: `minizoo bench …`, or the scoring beside lm-eval's model."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rows.plan import Step


@dataclass(frozen=True)
class Options:
    """What holds for every step of a call."""

    results: Path
    device: str
    dtype: str
    trials: int
    seconds: float | None = None
    """Of trials a point at least; None: as the workload says."""
    data: Path | None = None
    tokenizer: Path | None = None
    reference_minutes: float = 8.0
    even_if_busy: bool = False


def command_of(step: Step, options: Options, minutes: float, scored: Iterable[str] = ()) -> list[str]:
    """The step's command, ended after so many minutes; `scored` are tasks that have their record already.

    `-P`: packages are this checkout's (`environment`), whatever the folder is in which it is called.
    """
    words = _scoring(step, options, scored) if step.kind == "scoring" else _bench(step, options)
    common = {
        "--device": options.device,
        "--dtype": options.dtype,
        "--weights": "random",
        "--max-minutes": f"{minutes:.3f}",
        "--results": options.results,
    }
    return [sys.executable, "-P", *map(str, [*words, *_pairs(common), "--json"])]


def _bench(step: Step, options: Options) -> list[object]:
    against = ["--against", step.against] if step.against else []
    rule = {"--workload": step.word, "--batch": step.batch, "--trials": options.trials, "--seconds": options.seconds}
    busy = ["--even-if-busy"] if options.even_if_busy else []
    return ["-m", "minizoo", "bench", step.model, *against, *_pairs(rule), *busy]


def _scoring(step: Step, options: Options, scored: Iterable[str]) -> list[object]:
    said = {
        "--model": step.model,
        "--data": options.data,
        "--tokenizer": options.tokenizer,
        "--reference-minutes": f"{options.reference_minutes:g}",
        "--skip": ",".join(sorted(scored)) or None,
    }
    return ["-m", "benchmarks.rows.scoring", *_pairs(said)]


def _pairs(said: Mapping[str, object]) -> list[object]:
    """Options and their values, without those that have none."""
    return [word for name, value in said.items() if value is not None for word in (name, value)]
