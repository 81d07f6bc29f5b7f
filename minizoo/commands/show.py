"""`minizoo show`: one model in full."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minizoo.options import results_option
from minizoo.output import Output, json_option

if TYPE_CHECKING:
    from zoo.checkpoint.model_ref import ModelRef

NOTHING_TO_COMPARE = 3
"""Exit code of `--recovery` without a table."""
NAME = "NAME"
"""Stands in a line for a name of the registry."""


@click.command(short_help="Show one model, of the registry or a folder: dimensions, parameters, scores.")
@click.argument("model")
@click.option("--check", metavar="FILE|DIR|hub", help="Compare a config.json, or the hub's, with the entry.")
@click.option(
    "--recovery", is_flag=True, help="Only what pruning cost and distillation won back, in this model's family."
)
@click.option("--markdown", is_flag=True, help="With --recovery: as Markdown.")
@click.option(
    "--committed", is_flag=True, help="With --recovery: by the records in the checkout, not a results folder."
)
@results_option
@json_option
def show(
    model: str, check: str | None, recovery: bool, markdown: bool, committed: bool, results: Path, as_json: bool
) -> int:  # fmt: skip
    """Show one MODEL of the registry (id, alias or hub id): lineage, dimensions, parameters, tokens, published scores with
    source, and what the results folder measured beside them. Of a folder (`./folder`): what is in it, how many bytes its
    weights take as they are stored, whether it runs, where it came from, and what was measured of it. Of a parent, its pruned
    child and what that became by distillation, where all three were measured: what pruning cost and which share was won back.

    With --check the exit code is 1 when the config, or the weights of a folder, contradict the entry.
    """
    from minizoo.display.models.entry import measured_scores, show_check, show_model
    from minizoo.display.models.recovery import recoveries_of_model
    from zoo.checkpoint.folder_check import FolderCheck, check_folder
    from zoo.checkpoint.model_ref import resolve
    from zoo.errors import ConflictingOptions
    from zoo.registry.check import check_config
    from zoo.registry.loader import load_registry

    registry, output = load_registry(), Output(as_json)
    for option, given in (("--markdown", markdown), ("--committed", committed)):
        if given and not recovery:
            raise click.UsageError(f"{option} goes with --recovery.")
    ref = resolve(model)
    if recovery:
        return _show_recovery(output, ref, None if committed else results, markdown)
    if ref.entry is None:
        if check is not None:
            raise ConflictingOptions(
                f"--check compares with an entry of the registry, and {ref.shown} is none.",
                f"`minizoo show {NAME} --check {shlex.quote(model)}` compares a folder with the entry of that name.",
            )
        return _show_unlisted(output, ref, results)
    found = ref.entry
    if check is not None:
        folder = Path(check).expanduser()
        is_folder = check != "hub" and folder.is_dir()
        compared = check_folder(found, folder) if is_folder else FolderCheck(check_config(found, check))
        return show_check(output, found.id, check, compared)
    show_model(output, found, registry, measured_scores(results, found.id), recoveries_of_model(results, ref))
    return 0


def _show_recovery(output: Output, ref: ModelRef, results: Path | None, markdown: bool) -> int:
    """The model's families alone, without a folder by the committed records; the exit code, NOTHING_TO_COMPARE where none has
    results of all three."""
    from minizoo.display.models.recovery import (
        committed_recoveries,
        documents,
        recoveries_of_model,
        show_recoveries,
        show_recoveries_as_markdown,
    )

    found = committed_recoveries(ref) if results is None else recoveries_of_model(results, ref)
    if output.as_json:
        output.document("recoveries", {"model": ref.shown, "recoveries": documents(found)})
    elif not found:
        output.text(f"{ref.shown} is in no family of a parent, its pruned child and what that became by distillation.")
    elif markdown:
        show_recoveries_as_markdown(output, found)
    else:
        show_recoveries(output, found)
    return 0 if any(each.rows for each in found) else NOTHING_TO_COMPARE


def _show_unlisted(output: Output, ref: ModelRef, results: Path) -> int:
    """A folder described; UnknownModel for a hub model that is in no registry: nothing is known of it before it is fetched."""
    from minizoo.display.models.folder import measured_of_folder, show_folder
    from minizoo.display.models.recovery import recoveries_of_model
    from zoo.checkpoint.model_ref import near_registry_name
    from zoo.errors import UnknownModel
    from zoo.folders.describe import describe

    if ref.folder is None:
        near = near_registry_name(ref.id)
        raise UnknownModel(
            f"{ref.id} is in no registry, and show fetches nothing.",
            (f"Did you mean '{near}'? " if near else "")
            + f"`hf download {shlex.quote(ref.id)} --local-dir DIR` and then `minizoo show ./DIR`, or add it to a registry "
            "file (MINIZOO_REGISTRY, docs/registry.md). `minizoo models` lists the models that are known.",
        )
    show_folder(output, describe(ref), measured_of_folder(results, ref), recoveries_of_model(results, ref))
    return 0
