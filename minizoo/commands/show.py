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

    With --check the exit code is 1 when the config, or the weights of a folder, contradict the entry.
    """
    from minizoo.display.registry_model import measured_scores, show_check, show_model
    from zoo.checkpoint.folder_check import FolderCheck, check_folder
    from zoo.registry.check import check_config
    from zoo.registry.loader import load_registry

    registry = load_registry()
    found = registry.resolve(model)
    output = Output(as_json)
    if check is not None:
        folder = Path(check).expanduser()
        is_folder = check != "hub" and folder.is_dir()
        compared = check_folder(found, folder) if is_folder else FolderCheck(check_config(found, check))
        return show_check(output, found.id, check, compared)
    show_model(output, found, registry, measured_scores(results, found.id))
    return 0
