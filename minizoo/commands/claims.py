"""`minizoo claims`: what the cards say, recomputed; with --reproduce the method's findings, run anew in small."""

from __future__ import annotations

from pathlib import Path

import click

from minizoo.options import results_option
from minizoo.output import Output, json_option

COUNT = click.IntRange(min=1)


@click.command(short_help="Recompute what the model cards and papers claim.")
@click.option(
    "--reproduce", "scale", type=click.Choice(["nano", "smoke"]),
    help="Train small models and hold the method's findings against them: nano in an hour, smoke in a minute to see it run.",
)  # fmt: skip
@click.option("--seeds", type=COUNT, default=10, show_default=True, help="With --reproduce: seeds, from 1 on.")
@click.option(
    "--workers", type=COUNT, default=2, show_default=True, help="With --reproduce: seeds at a time, a core each."
)
@click.option(
    "--hours", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True,
    help="With --reproduce: no seed is begun that would not end within these.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path),
    help="With --reproduce: folder of the seeds; findings/NAME in the results folder if left out.",
)  # fmt: skip
@results_option
@json_option
@click.pass_context
def claims(
    context: click.Context,
    scale: str | None,
    seeds: int,
    workers: int,
    hours: float,
    out: Path | None,
    results: Path,
    as_json: bool,
) -> int:
    """Recompute each checkable sentence of the cards and papers: its numbers, its verdict, what would settle it.

    Where the results folder holds measured records of a published score, they are shown beside it. --reproduce trains models of
    its own instead and says of each finding: same, different, or not resolved. Stopped anywhere, the same command goes on. Exit
    code 3: seeds are left, or too few for an interval.
    """
    output = Output(as_json)
    if scale is not None:
        return _reproduce(output, scale, seeds, workers, hours, out or results / "findings" / scale)
    _refuse_lonely(context)
    from minizoo.display.models.claims import judged_claims, show_claims

    show_claims(output, judged_claims(results))
    return 0


def _reproduce(output: Output, scale: str, seeds: int, workers: int, hours: float, out: Path) -> int:
    from harness.findings.record import judged_of
    from harness.findings.run import Experiment, run_experiment
    from harness.fleet.processes import stopped_by_signals
    from minizoo.display.models.findings import FindingsProgress, show_findings, show_kept
    from zoo.reproduce.scale import SCALES

    asked = Experiment(SCALES[scale], tuple(range(1, seeds + 1)), workers, hours, out)
    with stopped_by_signals():
        try:
            with FindingsProgress(quiet=output.as_json) as progress:
                outcome = run_experiment(asked, progress)
        except KeyboardInterrupt:
            show_kept(output, out)
            raise
    judged = judged_of(outcome.record)
    show_findings(output, outcome, judged, str(out))
    return 0 if outcome.whole and all(each.word != "too few seeds" for each in judged) else 3


def _refuse_lonely(context: click.Context) -> None:
    """Options of --reproduce without it."""
    from zoo.errors import ConflictingOptions

    given = click.core.ParameterSource.COMMANDLINE
    for name in ("seeds", "workers", "hours", "out"):
        if context.get_parameter_source(name) is given:
            raise ConflictingOptions(
                f"--{name} goes with --reproduce.", f"Run `minizoo claims --reproduce nano --{name} …`."
            )
