"""`minizoo export`: results in the forms of lm-eval and of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minizoo.options import results_option
from minizoo.output import Output, json_option, note

if TYPE_CHECKING:
    from harness.exports.chosen import Selection
    from harness.exports.writing import Files

FORMS = ("lm-eval", "hf", "model-index")


@click.command(short_help="Write results in the forms of lm-eval and of the Hugging Face hub.")
@click.argument("which", metavar="[MODEL|RUN]", required=False)
@click.option("--to", "form", type=click.Choice(FORMS), required=True, help="Whose form: see below.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder to write to, a folder a model in it."
)
@results_option
@json_option
def export(which: str | None, form: str, out: Path, results: Path, as_json: bool) -> None:
    """Write the newest results of a MODEL, all of a RUN (its id, or the beginning of one), or the newest of every model.

    lm-eval: `results_TIME.json` and `samples_TASK_TIME.jsonl`, which lm-eval's tools, `datasets` and `minizoo import` read.
    hf: `.eval_results/DATASET.yaml`, for a model's repository on the hub. model-index: the same for its card's metadata.

    Nothing that is there is overwritten, and paths and names of this machine are taken out of what a record says of it.
    """
    from harness.bundles.private import this_machine
    from harness.exports.chosen import choose
    from harness.exports.writing import Files

    selection = choose(results, which, this_machine().record)
    with Files(out) as files:
        notes = _writers()[form](selection, files)
        places = files.publish()
    for line in notes:
        note(line)
    output = Output(as_json)
    if as_json:
        output.document("export", {"to": form, "files": [str(place) for place in places], "notes": notes})
        return
    for place in places:
        output.text(str(place))


def _writers() -> Mapping[str, Callable[[Selection, Files], list[str]]]:
    from harness.exports.hub import write_eval_results, write_model_index
    from harness.exports.lm_eval import write_lm_eval

    return dict(zip(FORMS, (write_lm_eval, write_eval_results, write_model_index), strict=True))
