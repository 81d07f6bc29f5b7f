"""Does the rebuilt nano family score as the shipped one does? The end of `make nano`.

`python -m harness.accuracy.nano_check FOLDER`, which holds every model of the family under its name. `make nano` pins
one thread and AVX2, and so gave the shipped bytes on two kinds of CPU (AVX2, AVX-512). Sums in another order are another
training: with AVX-512 it gave a teacher as good, and students whose scores differ by more than chance. So scores are compared:
a rebuilt score may be worse than the shipped one by no more than the 95 % interval of two runs, z·√(se₁² + se₂²).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.accuracy.prepare import EvalRequest
from harness.accuracy.run import run
from harness.records.derived import estimate
from harness.records.record import MetricScore
from harness.stats.constants import Z
from harness.suites.suite import TaskSelection
from zoo.registry.loader import load_registry


@dataclass(frozen=True)
class RebuiltScore:
    """One score of both models, and whether the rebuilt one is worse than the standard errors explain."""

    task: str
    metric: str
    shipped: float | None
    """None where the model has no score: its task failed, or the metric is no number."""
    rebuilt: float | None
    allowed: float
    holds: bool


def compare(shipped: str, rebuilt: str) -> Iterator[RebuiltScore]:
    """Evaluate both on the nano suite and compare score by score."""
    ours, theirs = _scores(shipped), _scores(rebuilt)
    for key in ours | theirs:
        a, b = ours.get(key), theirs.get(key)
        if a is None or b is None or a.value is None or b.value is None:
            yield RebuiltScore(*key, a and a.value, b and b.value, 0.0, False)
            continue
        allowed = Z * ((estimate(a).stderr or 0.0) ** 2 + (estimate(b).stderr or 0.0) ** 2) ** 0.5
        worse = (a.value - b.value) * (-1 if a.higher_is_better is False else 1)
        yield RebuiltScore(*key, a.value, b.value, allowed, worse <= allowed)


def _scores(model: str) -> dict[tuple[str, str], MetricScore]:
    with tempfile.TemporaryDirectory() as results:
        request = EvalRequest(model, selection=TaskSelection(suites=("nano",)))
        records = run(request, Path(results)).records
    return {(record.task, f"{s.metric},{s.filter}"): s for record in records for s in record.scores}


def _shown(value: float | None) -> str:
    return f"{'–':>8}" if value is None else f"{value:8.4f}"


def family() -> list[str]:
    """The nano models of the registry, in its order."""
    return [model.id for model in load_registry().models.values() if model.group == "nano"]


def main() -> int:
    """Print the comparison of every model; 1 when one has no score, or a rebuilt score is worse than chance alone explains."""
    verdicts: list[bool] = []
    for model in family():
        rows = list(compare(model, str(Path(sys.argv[1]) / model)))
        verdicts.append(bool(rows) and all(row.holds for row in rows))
        for row in rows:
            verdict = "as shipped" if row.holds else "NO SCORE" if None in (row.shipped, row.rebuilt) else "WORSE"
            told = f"shipped {_shown(row.shipped)}  rebuilt {_shown(row.rebuilt)}"
            print(f"{model:18} {row.task:14} {row.metric:30} {told}  {verdict}", flush=True)
    return 0 if verdicts and all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
