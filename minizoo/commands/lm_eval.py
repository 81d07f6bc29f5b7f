"""`minizoo lm-eval`: lm-eval's own command line, its arguments untouched, with minizoo as one of its models."""

from __future__ import annotations

from pathlib import Path

import click

from minizoo.options import results_option
from minizoo.output import Output, note

ABOUT = """\
lm-eval's own command line, with minizoo as one of its models:

  minizoo lm-eval run --model minizoo --model_args pretrained=MODEL --tasks hellaswag

MODEL is a registry name, a hub id or a folder. Beside lm-eval's own files each task is recorded. Two options are minizoo's:

  --data DIR      Local mirror of hub data sets; with it nothing touches the network. [$MINIZOO_DATA]
  --results DIR   Folder of the records and the database. [$MINIZOO_RESULTS; default: results]

All else below is lm-eval's.
"""


@click.command("lm-eval", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="MINIZOO_DATA",
    help="Local mirror of hub data sets; with it nothing touches the network.",
)  # fmt: skip
@results_option
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="LM-EVAL'S ARGUMENTS")
@click.pass_context
def lm_eval(context: click.Context, data: Path | None, results: Path, words: tuple[str, ...]) -> int:
    """Run lm-eval's own command line, with minizoo as one of its models."""
    from harness.lmeval.drop_in.command_line import Surroundings, run_command_line

    if not words or words[0] in ("-h", "--help"):
        Output().text(ABOUT)
    log = getattr(getattr(context.obj, "log", None), "path", None)
    return run_command_line(words, Surroundings(data, results, log, note))
