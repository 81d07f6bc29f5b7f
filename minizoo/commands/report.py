"""`minizoo report`: the results as a page."""

from __future__ import annotations

from pathlib import Path

import click

from minizoo import __version__
from minizoo.options import results_option
from minizoo.output import Output, json_option


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write index.html to.")
@results_option
@json_option
def report(out: Path, results: Path, as_json: bool) -> None:
    """Write the results as one self-contained HTML page, and print where it is."""
    from reports.publish import publish

    path = publish(results, out, __version__)
    output = Output(as_json)
    if as_json:
        output.document("report", {"path": str(path), "bytes": path.stat().st_size})
    else:
        output.text(str(path))
