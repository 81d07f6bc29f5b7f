"""`minizoo claims`: what the cards say, recomputed."""

from __future__ import annotations

from pathlib import Path

import click

from minizoo.options import results_option
from minizoo.output import Output, json_option


@click.command(short_help="Recompute what the model cards and papers claim.")
@results_option
@json_option
def claims(results: Path, as_json: bool) -> None:
    """Recompute each checkable sentence of the cards and papers: its numbers, its verdict, what would settle it.

    Where the results folder holds measured records of a published score, they are shown beside it.
    """
    from minizoo.display.models.claims import judged_claims, show_claims

    show_claims(Output(as_json), judged_claims(results))
