"""`minizoo report`: the leaderboard as a site, as one page, or as a table for another program."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Generator
from pathlib import Path

import click

from minizoo import __version__
from minizoo.options import names_of, results_option
from minizoo.output import Output, json_option, note

FORMATS = ("html", "markdown", "json", "csv")


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the site; a file with --single-file and --format."
)
@click.option("--single-file", is_flag=True, help="The leaderboard alone, as one file.")
@click.option("--compare", "pairs", multiple=True, metavar="A,B", help="A page that compares B with A. Repeatable.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="html", show_default=True, help="Of the output.")
@results_option
@json_option
@click.pass_context
def report(
    context: click.Context, out: Path | None, single_file: bool, pairs: tuple[str, ...], form: str, results: Path, as_json: bool
) -> None:  # fmt: skip
    """Write the leaderboard as a site of static pages to --out, and print where its first page is.

    Only what changed is written anew. Without a results folder the site is made from the records that come with minizoo.
    --format prints the leaderboard's table instead, or writes it to --out.
    """
    asked = _pairs(pairs)
    _check(out, form, single_file, asked, as_json)
    given = context.get_parameter_source("results") is not click.core.ParameterSource.DEFAULT
    output = Output(as_json)
    with _results(results, given) as folder:
        if form != "html":
            _show_table(output, folder, form, out)
        elif out is not None and single_file:
            from reports.publish import publish_single

            path = publish_single(folder, out, __version__)
            _tell(output, path, files=1, written=1)
        elif out is not None:
            from reports.publish import publish

            made = publish(folder, out, __version__, asked)
            _tell(output, made.path, made.files, made.written)


def _tell(output: Output, path: Path, files: int, written: int) -> None:
    if output.as_json:
        output.document("report", {"path": str(path), "bytes": path.stat().st_size, "files": files, "written": written})
    else:
        output.text(str(path))


def _show_table(output: Output, results: Path, form: str, out: Path | None) -> None:
    from reports.publish import table

    text = table(results, form)
    if out is None:
        output.text(text.replace("\r\n", "\n").removesuffix("\n"))  # CSV's line ends are for files
        return
    from reports.site.writing import write_file

    write_file(out, text.encode())
    _tell(output, out, files=1, written=1)


@contextlib.contextmanager
def _results(results: Path, given: bool) -> Generator[Path]:
    """The results folder; where none was named and none is there, one with the records that come with minizoo."""
    if given or results.is_dir():
        yield results
        return
    from reports.site.committed import copy_committed

    with tempfile.TemporaryDirectory(prefix="minizoo-report-") as folder:
        found = copy_committed(Path(folder))
        runs = "1 run that comes" if found.runs == 1 else f"{found.runs} runs that come"
        what = f"{runs} with minizoo" if found.runs else "what others published"
        note(
            f"There is no results folder {results}: the report is of {what}. `minizoo eval` makes results of your own."
        )
        yield Path(folder)


def _pairs(words: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for word in words:
        names = names_of(word)
        if len(names) != 2 or names[0] == names[1]:
            raise click.UsageError(f"--compare takes two models, the reference first: A,B. It got '{word}'.")
        found.append((names[0], names[1]))
    return tuple(found)


def _check(out: Path | None, form: str, single_file: bool, asked: object, as_json: bool) -> None:
    """Refuse options that do not go together."""
    from zoo.errors import ConflictingOptions

    if form == "html" and out is None:
        raise click.UsageError("Missing option '--out'.")
    if form != "html" and (single_file or asked):
        word = "--single-file" if single_file else "--compare"
        raise ConflictingOptions(f"{word} is of pages, and --format is {form}.", "Leave one of them out.")
    if single_file and asked:
        raise ConflictingOptions(
            "--compare makes a page of its own, and --single-file has room for one.", "Leave one out."
        )
    if as_json and form != "html" and out is None:
        raise ConflictingOptions(
            f"--json prints one JSON document, and --format {form} the table.", "Leave --json out, or give --out FILE."
        )
