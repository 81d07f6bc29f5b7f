"""`minizoo compare`: what B lost or gained beside A, document by document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from minizoo.options import names_of, results_option
from minizoo.output import Output, json_option, note

if TYPE_CHECKING:
    from harness.compare.comparison import Comparison
    from harness.compare.factors import Factor, Split
    from harness.compare.items import Side
    from harness.compare.sides.speed_ratios import SpeedRatio
    from harness.imports.drafts import Given
    from minizoo.display.compare.blocks import Block

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
    "--baselines", type=click.Path(path_type=Path), help="File of baselines; ./baselines.yaml where it is there."
)
@click.option("--markdown", is_flag=True, help="Print GitHub's Markdown instead of tables.")
@results_option
@json_option
def compare(
    a: str, b: str, suite: str | None, tasks: str, every_metric: bool, flips: int | None, by: Factor | None,
    baselines: Path | None, markdown: bool, results: Path, as_json: bool,
) -> int:  # fmt: skip
    """Compare B with A: models, runs, baselines, or folders of lm-eval's output.

    A is the reference: a teacher, a parent, yesterday's build. Exit code 0 where everything in common was compared, 3 where a
    task was refused or nothing pairs.
    """
    if markdown and as_json:
        raise click.UsageError("--markdown and --json exclude each other.")
    from harness.compare.comparison import Asked, compare_sides
    from harness.compare.factors import split
    from harness.compare.sides.speed_ratios import speed_ratios

    sides = _sides(a, b, results, baselines)
    asked = Asked((*names_of(tasks), *_tasks_of(suite)), every_metric)
    comparison = compare_sides(*sides, asked)
    shown = Shown(
        comparison,
        speed=speed_ratios(*sides, results),
        split=split(comparison.rows, by) if by else None,
        flips=flips,
    )
    for told in dict.fromkeys(told for side in sides for told in side.notes):
        note(f"{told}.")
    shown.show(Output(as_json), markdown)
    return shown.exit_code


@dataclass(frozen=True)
class Shown:
    """All that one call compares."""

    comparison: Comparison
    speed: list[SpeedRatio]
    split: Split | None
    flips: int | None

    @property
    def exit_code(self) -> int:
        """The rows' own; 0 for models of which speeds alone are there."""
        return 0 if self.speed and not self.comparison.rows else self.comparison.exit_code

    def show(self, output: Output, markdown: bool) -> None:
        """In the form that is asked for."""
        from minizoo.display.compare.render import markdown as as_markdown
        from minizoo.display.compare.render import show_blocks

        if output.as_json:
            output.document("compare", self.document())
        elif markdown:
            output.text(as_markdown(self.blocks()).rstrip("\n"))
        else:
            show_blocks(output, self.blocks())
        if not self.comparison.compared and not self.speed:
            note("Nothing was compared: no task of the two pairs.")

    def blocks(self) -> Iterator[Block]:
        """Tables and lines, in the order in which they are read."""
        from minizoo.display.compare.blocks import comparison_blocks, speed_block, split_block
        from minizoo.display.compare.flips import flips_blocks

        yield from comparison_blocks(self.comparison)
        if self.split:
            yield split_block(self.split)
        if self.flips:
            yield from flips_blocks(self.comparison, self.flips)
        yield speed_block(self.speed, self.comparison.a.name, self.comparison.b.name)

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        from minizoo.display.compare.document import (
            comparison_document,
            flips_document,
            speed_document,
            split_document,
        )

        return {
            **comparison_document(self.comparison),
            "split": split_document(self.split) if self.split else None,
            "flips": flips_document(self.comparison, self.flips) if self.flips else None,
            "speed": speed_document(self.speed),
            "exit_code": self.exit_code,
        }


def _sides(a: str, b: str, results: Path, baselines: Path | None) -> tuple[Side, Side]:
    from harness.compare.resolve import refuse_same, resolve_side

    sides = (
        resolve_side(a, results, baselines, given=_given),
        resolve_side(b, results, baselines, given=_given),
    )
    refuse_same(*sides)
    return sides


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
