"""`minizoo gate --calibrate N`: re-runs of identical code to a file of their noise."""

from __future__ import annotations

from datetime import UTC, datetime

from harness.accuracy.prepare import EvalRequest
from harness.gates.noise.file import NoiseFile
from harness.gates.noise.measured import noise_of
from harness.gates.noise.reruns import Reruns, Told, Ways, rerun


def calibrate(request: EvalRequest, runs: int, told: Told, ways: Ways | None = None) -> NoiseFile:
    """Run the request `runs` times more with other dtypes, row budgets and thread counts, and count what changes.

    Writes nothing; `save_noise` does. `told` gets a line a run. Raises what an evaluation raises, and TaskFailed where a task
    has no number in one of the runs.
    """
    return noise_file(rerun(request, runs, told, ways))


def noise_file(made: Reruns) -> NoiseFile:
    """The noise of runs that were made."""
    evaluation = made.evaluation
    return NoiseFile(
        schema="minizoo.noise/1",
        model=made.first.side.name,
        suite=evaluation.suite.name,
        backend=evaluation.backend,
        device=made.device,
        versions=made.versions,
        made=datetime.now(UTC),
        limit=evaluation.request.rules.limit,
        first=made.first.how,
        variations=tuple(run.how for run in made.others),
        seconds=tuple(round(run.seconds, 2) for run in made.others),
        tasks=tuple(noise_of(made.first.side, [run.side for run in made.others])),
    )
