"""`minizoo show`: one model in full."""

from __future__ import annotations

from pathlib import Path

import click

from minizoo.options import results_option
from minizoo.output import Output, json_option


@click.command(short_help="Show one model: lineage, dimensions, parameters, published scores.")
@click.argument("model")
@click.option("--check", metavar="FILE|DIR|hub", help="Compare a config.json, or the hub's, with the entry.")
@results_option
@json_option
def show(model: str, check: str | None, results: Path, as_json: bool) -> int:
    """Show one MODEL (id, alias or hub id): lineage, dimensions, parameters, tokens, published scores with source, and
    what the results folder measured beside them.

    With --check the exit code is 1 when the config contradicts the entry.
    """
    from minizoo.display.registry_model import measured_scores, show_check, show_model
    from zoo.registry.check import check_config
    from zoo.registry.loader import load_registry

    registry = load_registry()
    found = registry.resolve(model)
    output = Output(as_json)
    if check is not None:
        return show_check(output, found.id, check, check_config(found, check))
    show_model(output, found, registry, measured_scores(results, found.id))
    return 0
