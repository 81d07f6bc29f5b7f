"""`minizoo history`: every figure over the nights, and where it changed."""

from __future__ import annotations

from pathlib import Path

import click

from minizoo.options import results_option
from minizoo.output import Output, json_option


@click.command(short_help="Show figures over the nights, where they changed, and what was another then.")
@click.argument("model", required=False)
@click.option("--task", metavar="T", help="This task alone; of speeds the workload and point, as `batch1.128x128.b1`.")
@click.option("--metric", metavar="M", help="This metric alone: `acc`, `gold_logprob`, `output_rate` …")
@results_option
@json_option
def history(model: str | None, task: str | None, metric: str | None, results: Path, as_json: bool) -> None:
    """Show figures over the nights, where they changed, and what was another then.

    MODEL is a model's shown name, or the label of a series of checkpoints; without it all are shown.
    """
    from harness.fleet.history.change_points import history as history_of
    from harness.store.query import Reader
    from minizoo.display.history.tables import show_history

    show_history(Output(as_json), history_of(Reader(results), model, task, metric))
