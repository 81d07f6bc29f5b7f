"""`minizoo power`: which suite, limit and nights would find a loss, before GPU hours are spent on it."""

from __future__ import annotations

import re
from pathlib import Path

import click

from minizoo.output import Output, json_option
from zoo.errors import InvalidOption

LOSS = re.compile(r"^\s*([0-9]*\.?[0-9]+)\s*(pp)?\s*$", re.IGNORECASE)


@click.command(short_help="Say which suite, limit and nights would find a loss, before anything runs.")
@click.option("--detect", required=True, metavar="LOSS", help="True loss to find: `1pp` (one point), `0.5pp`, or 0.01.")
@click.option("--suite", default="paper", show_default=True, help="Suite by name or YAML file.")
@click.option(
    "--discordant", type=click.FloatRange(0, 1, min_open=True),
    help="Share of documents that change between two runs; without it 2, 4 and 10 %.",
)  # fmt: skip
@click.option(
    "--noise", type=click.Path(path_type=Path), help="File of `minizoo gate --calibrate`: shares as measured."
)
@click.option("--policy", default="nightly", show_default=True, help="Policy whose alpha the tests share.")
@click.option(
    "--pairs", type=click.IntRange(min=1), default=1, show_default=True,
    help="Models and GPUs that are gated together: all their tests share the policy's alpha.",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), help="Documents a task, as `minizoo eval --limit` takes them.")
@click.option(
    "--nights", type=click.IntRange(min=1), default=1, show_default=True, help="Nights that are taken together."
)
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="MINIZOO_DATA",
    help="Local mirror of hub data sets: its documents are counted.",
)  # fmt: skip
@json_option
def power(
    detect: str, suite: str, discordant: float | None, noise: Path | None, policy: str, pairs: int, limit: int | None,
    nights: int, data: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Say which suite, limit and nights would find a loss, paired by document and not, before anything runs."""
    loss = loss_of(detect)
    from harness.gates.loading import load_policy
    from harness.gates.noise.file import load_noise
    from harness.gates.power.documents import documents_of_suite
    from harness.gates.power.foresight import RATES, Question, foresee, levels_of
    from harness.suites.suite import load_suite
    from minizoo.display.gate.power import show_power

    chosen, wanted = load_policy(policy).policy, load_suite(suite)
    measured = load_noise(noise).flips if noise else {}
    question = Question(loss, (discordant,) if discordant else RATES, measured, chosen.power, nights)
    documents = documents_of_suite(wanted, data, limit)
    levels = levels_of(chosen, [task.task for task in documents], pairs)
    show_power(Output(as_json), wanted.name, question, foresee(documents, question, levels, chosen))


def loss_of(words: str) -> float:
    """`1pp` and 0.01 as 0.01. InvalidOption for anything else, and for no loss or all there is."""
    found = LOSS.match(words)
    loss = float(found[1]) * (0.01 if found[2] else 1.0) if found else 0.0
    if 0 < loss < 1:
        return loss
    said = f"--detect {words} is no loss of an accuracy between 0 and 1"
    hint = "Write points with `pp` (`1pp` is one point of a hundred), or a share (0.01)."
    raise InvalidOption(f"{said}.", hint)
