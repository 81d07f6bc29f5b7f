"""`minizoo data`: a local mirror of the hub's data sets, filled and checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from minizoo.options import names_of
from minizoo.output import Column, Output, json_option, note

if TYPE_CHECKING:
    from harness.data.manifest import Held, Needed


def _mirror_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which mirror, and for what."""
    for option in (
        click.option("--shots", type=click.IntRange(min=0), help="Few-shot examples for --tasks instead of each task's own."),
        click.option("--tasks", default="", help="lm-eval tasks instead of suites, separated by commas."),
        click.option("--suite", "suites", multiple=True, help="Suite by name or YAML file, repeatable. [default: paper]"),
        click.option(
            "--data", type=click.Path(file_okay=False, path_type=Path), envvar="MINIZOO_DATA", required=True,
            help="Folder of the mirror.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


@click.group()
def data() -> None:
    """Fill or check a local mirror of the data sets that suites read."""


@data.command()
@_mirror_options
@json_option
def pull(data: Path, suites: tuple[str, ...], tasks: str, shots: int | None, as_json: bool) -> int:
    """Fetch from the hub what the mirror lacks; an interrupted pull goes on where it stopped."""
    from harness.data.pull import pull as pull_files

    held = pull_files(data, _needed(suites, tasks, shots), note)
    return _show(Output(as_json), "data-pull", data, held)


@data.command()
@_mirror_options
@json_option
def check(data: Path, suites: tuple[str, ...], tasks: str, shots: int | None, as_json: bool) -> int:
    """Say of every file that a suite reads whether the mirror holds it whole. Exit 4 when something is missing."""
    from harness.data.manifest import check_mirror

    held = check_mirror(data, _needed(suites, tasks, shots))
    return _show(Output(as_json), "data-check", data, held)


def _needed(suites: tuple[str, ...], tasks: str, shots: int | None) -> list[Needed]:
    from harness.data.manifest import needed_files
    from harness.lmeval.loading.tasks import configs_of
    from harness.suites.suite import TaskSelection

    return needed_files(configs_of(TaskSelection(suites, names_of(tasks), shots).resolve(default="paper")))


def _show(output: Output, kind: str, data: Path, held: Sequence[Held]) -> int:
    bad = [one for one in held if not one.good]
    if output.as_json:
        output.document(kind, {"data": str(data), "files": [_row(one) for one in held], "missing": len(bad)})
        return 4 if bad else 0
    columns = [
        Column("data set"),
        Column("files", True),
        Column("rows", True),
        Column("licence"),
        Column("state", importance=2),
    ]
    rows: list[list[str]] = []
    for dataset, group in groupby(held, key=lambda one: one.needed.dataset):
        files = list(group)
        states = [one.state for one in files]
        rows.append(
            [
                dataset,
                f"{len(files):,}",
                f"{sum(one.rows or 0 for one in files):,}",
                ", ".join(dict.fromkeys(one.licence for one in files)),
                ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)),
            ]
        )
    output.table(columns, rows, f"Mirror {data}")
    for one in bad:
        output.text(f"{one.state}: {one.needed.path} ({one.reason}), for {_some(one.needed.tasks)}")
    output.text(f"{len(held) - len(bad)} of {len(held)} files are here.")
    if bad:
        output.text(
            f"On a machine that reaches the hub: minizoo data pull --data {data} with the same suites or tasks."
        )
    return 4 if bad else 0


def _row(one: Held) -> dict[str, Any]:
    return {
        "path": one.needed.path.as_posix(),
        "tasks": list(one.needed.tasks),
        "state": one.state,
        "reason": one.reason,
        "rows": one.rows,
        "licence": one.licence,
        "revision": one.revision,
    }


def _some(tasks: Sequence[str]) -> str:
    return ", ".join(tasks[:3]) + (f" and {len(tasks) - 3} more" if len(tasks) > 3 else "")
