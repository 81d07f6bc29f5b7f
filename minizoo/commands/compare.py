"""`minizoo compare`: what B lost or gained beside A, document by document."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minizoo.options import names_of, results_option
from minizoo.output import Output, json_option, note

if TYPE_CHECKING:
    from harness.accuracy.prepare import EvalRequest
    from harness.compare.factors import Factor
    from harness.compare.items import Side
    from harness.imports.drafts import Given
    from minizoo.display.compare.shown import Shown

FLIPS = 5
"""Documents that --show-flips lists of each task."""


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--suite", help="Only tasks of this suite, by name or YAML file.")
@click.option("--tasks", default="", help="Only these tasks, separated by commas; patterns such as 'mmlu_*' too.")
@click.option("--every-metric", is_flag=True, help="A row for every metric and filter, not one a task.")
@click.option(
    "--show-flips", "flips", type=click.IntRange(min=1), is_flag=False, flag_value=FLIPS,
    help=f"List documents that changed, with both answers: so many a task, {FLIPS} without a number.",
)  # fmt: skip
@click.option(
    "--by", type=click.Choice(["subject", "position", "length"]),
    help="Split rows: by task of a group, by the place of the right answer, by the length of the prompt.",
)  # fmt: skip
@click.option(
    "--kl", is_flag=True, help="Run both models over the prompts: KL, same top-1 token, change of probability."
)
@click.option(
    "--axes", metavar="PLAN",
    help="Run A with each axis of a pruning plan cut alone: what it costs. PLAN: plan.json, its folder, or a registry model.",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), help="Of --kl and --axes: documents a task, chosen by hash.")
@click.option("--device", default="auto", show_default=True, help="Of --kl and --axes: cpu, cuda, cuda:1, or auto.")
@click.option(
    "--dtype", default="auto", show_default=True, help="Of --kl and --axes: float32, bfloat16, float16, or auto."
)
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="MINIZOO_DATA",
    help="Of --kl and --axes: local mirror of hub data sets.",
)  # fmt: skip
@click.option("--baselines", type=click.Path(path_type=Path), help="File of baselines; without it ./baselines.yaml.")
@click.option("--markdown", is_flag=True, help="Print GitHub's Markdown instead of tables.")
@results_option
@json_option
def compare(
    a: str, b: str, suite: str | None, tasks: str, every_metric: bool, flips: int | None, by: Factor | None, kl: bool,
    axes: str | None, limit: int | None, device: str, dtype: str, data: Path | None, baselines: Path | None,
    markdown: bool, results: Path, as_json: bool,
) -> int:  # fmt: skip
    """Compare B with A: models, runs, baselines, or folders of lm-eval's output.

    A is the reference: a teacher, a parent, yesterday's build. Exit code 0 where everything in common was compared, 3 where a
    task was refused or nothing pairs.
    """
    if markdown and as_json:
        raise click.UsageError("--markdown and --json exclude each other.")
    if not (kl or axes) and (limit is not None or (device, dtype) != ("auto", "auto")):
        raise click.UsageError("--limit, --device and --dtype go with --kl or --axes: records have their own.")
    from minizoo.display.compare.shown import Shown

    sides = _sides((a, b), results, baselines, bool(kl or axes))
    shown = Shown(a, b)
    if sides:
        shown = _compared(sides, (*names_of(tasks), *_tasks_of(suite)), every_metric, by, flips, results)
    if kl or axes:
        models = [_model_of(side) for side in sides] or [a, b]
        requests = [_request(model, suite, names_of(tasks), limit, device, dtype, data) for model in models]
        shown = _with_models(shown, requests, kl, axes, as_json)
    shown.show(Output(as_json), markdown)
    return shown.exit_code


def _compared(
    sides: tuple[Side, Side], tasks: tuple[str, ...], every_metric: bool, by: Factor | None, flips: int | None, results: Path
) -> Shown:  # fmt: skip
    from harness.compare.comparison import Asked, compare_sides
    from harness.compare.factors import split
    from harness.compare.sides.speed_ratios import speed_ratios
    from minizoo.display.compare.shown import Shown

    comparison = compare_sides(*sides, Asked(tasks, every_metric))
    speed = tuple(speed_ratios(*sides, results))
    return Shown(
        sides[0].name, sides[1].name, comparison, speed, split(comparison.rows, by) if by else None, flips
    )  # fmt: skip


def _with_models(shown: Shown, requests: list[EvalRequest], kl: bool, axes: str | None, quiet: bool) -> Shown:
    """With what running the models tells. Raises what running them does."""
    from minizoo.display.compare.divergence import DivergenceProgress

    a, b = requests
    with DivergenceProgress(quiet) as progress:
        if kl:
            from harness.divergence.run import diverge

            shown = replace(shown, divergence=diverge(a, b, progress))
        if axes:
            from harness.divergence.axes import axis_losses

            shown = replace(shown, axes=axis_losses(a.model, axes, a, progress))
        progress.finished()
    return shown


def _sides(
    words: tuple[str, str], results: Path, baselines: Path | None, runs_models: bool
) -> tuple[Side, Side] | tuple[()]:
    """Both sides; none where one has no results and the models themselves are run anyway."""
    from harness.compare.resolve import refuse_same, resolve_side
    from zoo.errors import NothingRecorded

    try:
        a, b = (resolve_side(word, results, baselines, given=_given) for word in words)
    except NothingRecorded as error:
        if not runs_models:
            raise
        note(f"No results are compared: {error.what}")
        return ()
    refuse_same(a, b)
    return a, b


def _given() -> Given:
    """What lm-eval itself knows of its files: which way is better, and how a metric is aggregated."""
    from harness.imports.drafts import Given
    from harness.lmeval.estimates import aggregated
    from harness.lmeval.scores import higher_is_better

    return Given(direction=higher_is_better, aggregated=aggregated)


def _tasks_of(suite: str | None) -> tuple[str, ...]:
    if suite is None:
        return ()
    from harness.suites.suite import load_suite

    return tuple(entry.task for entry in load_suite(suite).tasks)


def _model_of(side: Side) -> str:
    """The word that loads a side's model: of a folder its path."""
    subject = next((result.record.subject for result in side.results.values()), None)
    if subject is None:
        return side.word
    return subject.source if subject.kind == "folder" else subject.id


def _request(
    model: str, suite: str | None, tasks: tuple[str, ...], limit: int | None, device: str, dtype: str, data: Path | None
) -> EvalRequest:  # fmt: skip
    from backends.contract import Options
    from harness.accuracy.prepare import DocumentRules, EvalRequest
    from harness.suites.suite import TaskSelection

    return EvalRequest(
        model,
        selection=TaskSelection((suite,) if suite else (), tasks),
        options=Options(device, dtype),
        rules=DocumentRules(limit),
        data=data,
    )
