"""`minizoo search`: find the shape that a parent is best cut to within a budget, and say how sure that is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from minizoo.options import names_of, results_option
from minizoo.output import Output, json_option, note

if TYPE_CHECKING:
    from zoo.checkpoint.model_ref import ModelRef
    from zoo.search.request import SearchRequest
    from zoo.search.settings import Training

A_PATH = click.Path(path_type=Path)
COUNT = click.IntRange(min=1)
RATE = click.FloatRange(min=0, min_open=True)
NANO_TOKENS, NANO_BATCH, NANO_LENGTH, NANO_RATE = 245_760, 8, 256, 2e-3
"""Of the nano family, whose recipe this is but for the tokens: 120 steps, twice those of its shipped students."""
BATCH, LENGTH, PEAK = 32, 1024, 1e-4
"""Where nothing else is said, as `minizoo distill` has them."""
WARM_UP_SHARE, LONGEST_WARM_UP = 0.05, 40
MICRO = 8
"""Rows computed at once at most, where nothing else is said."""


def _share(_context: click.Context, option: click.Parameter, word: str) -> float:
    """A share as `5%` or `0.05`."""
    number, percent, rest = word.strip().partition("%")
    try:
        value = float(number) / (100 if percent else 1)
    except ValueError:
        value = math.nan
    if rest or not 0 < value <= 1:
        raise click.BadParameter(f"{word!r} is no share above 0: write 5% or 0.05.", param=option)
    return value


@click.command(short_help="Find the shape that a parent is best cut to within a budget.")
@click.argument("word", required=False, metavar="[PARENT]")
@click.option("--parent", help="Registry name, hub id, or folder of the checkpoint to cut; or the first argument.")
@click.option(
    "--budget", required=True, metavar="KIND=AMOUNT",
    help="params=50%, params=8.4B, memory=20GB@8192x1 (context x batch), latency=12ms@H100[:batch=1,context=4096] or @cpu.",
)  # fmt: skip
@click.option("--within", default="5%", show_default=True, callback=_share, help="How far a shape may be from it.")
@click.option(
    "--axes", default="", callback=lambda _context, _option, words: names_of(words), metavar="A,B",
    help="Which of layers, heads, hidden, ffn may be cut. [default: all]",
)  # fmt: skip
@click.option("--least-share", default="37.5%", show_default=True, callback=_share, help="That an axis keeps at least.")
@click.option("--candidates", type=COUNT, default=12, show_default=True, help="Shapes that are cut and scored.")
@click.option("--keep", type=COUNT, default=6, show_default=True, help="The best of these, which are trained.")
@click.option("--plan-only", is_flag=True, help="List the shapes within the budget; needs no weights.")
@click.option(
    "--data", multiple=True, metavar="FILE[@SHARE]",
    help="Text to train, rank and confirm on, as minizoo distill takes files. A nano parent makes its own. Repeatable.",
)  # fmt: skip
@click.option("--text-column", metavar="NAME", help="Column of the text; without it text, messages.")
@click.option("--tokens", type=COUNT, help="That a candidate is trained on at most.")
@click.option("--batch", type=COUNT, help="Rows a step.")
@click.option("--length", type=click.IntRange(min=2), help="Tokens a row.")
@click.option("--micro", type=COUNT, help="Rows computed at once.")
@click.option("--rate", type=RATE, help="Learning rate, constant behind the warm-up.")
@click.option("--rungs", type=COUNT, default=5, show_default=True, help="Times that candidates are judged.")
@click.option("--held-out", type=COUNT, default=400, show_default=True, help="Documents that rank; as many confirm.")
@click.option("--samples", type=COUNT, default=256, show_default=True, help="Rows that importance is measured on.")
@click.option(
    "--depth-by", type=click.Choice(["bi", "ppl"]), default="bi", show_default=True,
    help="Which layers go: by Block Influence, or by perplexity without them.",
)  # fmt: skip
@click.option(
    "--tasks", default="", callback=lambda _context, _option, words: names_of(words), metavar="A,B",
    help="lm-eval tasks that choose those that are trained, instead of the loss on held-out text.",
)  # fmt: skip
@click.option("--limit", type=COUNT, help="Documents a task.")
@click.option(
    "--mirror", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="MINIZOO_DATA",
    help="Local mirror of hub data sets, for tasks.",
)  # fmt: skip
@click.option(
    "--confidence", type=click.FloatRange(0.5, 0.9999), default=0.95, show_default=True, help="Of every interval."
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=0.01,
    show_default=True,
    help="Nats a token that do not matter.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of split, rows and order.")
@click.option(
    "--confirm",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Seeds that confirm the winner; 0: none.",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, or auto.")
@click.option("--teacher-cache", type=A_PATH, help="Folder of what the parent says: made, gone on with, or read.")
@click.option("--cache", metavar="FORM", help="exact, or sampled:K draws a token; without it exact.")
@click.option("--out", type=A_PATH, help="Folder of the search; the same command goes on with what is in it.")
@results_option
@json_option
def search(
    word: str | None, parent: str | None, plan_only: bool, results: Path, as_json: bool, **options: Any
) -> int:  # fmt: skip
    """Find the shape that a parent is best cut to: shapes within a budget are cut, scored, and the best trained a little.

    Training goes on until the ranking no longer changes. Stopped at any moment, the same command goes on.
    """
    from minizoo.commands.distill import open_tokenizer
    from minizoo.searching import timing_of, tools_of
    from zoo.checkpoint.fetch import refuse_out_of_reach
    from zoo.checkpoint.model_ref import resolve

    name = _parent(word, parent)
    ref = resolve(name)
    request = _request(name, ref, plan_only, options)
    output, timing = Output(as_json), timing_of(results)
    if plan_only:
        from minizoo.display.search.tables import show_candidates
        from zoo.search.planning import preview

        show_candidates(output, preview(request, timing, note), ref.shown, request.out)
        return 0
    refuse_out_of_reach(name)
    from minizoo.display.search.progress import SearchProgress
    from minizoo.display.search.tables import show_outcome
    from zoo.search.run import run

    with SearchProgress(quiet=as_json) as progress:
        outcome = run(request, tools_of(request, ref, timing, progress, options, open_tokenizer), progress.watcher())
    assert request.out is not None, "a search that is no plan has a folder"
    show_outcome(output, outcome, request.out)
    return 0 if outcome.stopped is None else 130


def _parent(word: str | None, option: str | None) -> str:
    from zoo.errors import ConflictingOptions

    if word is not None and option is not None:
        raise ConflictingOptions(
            f"The parent is given twice, as {word} and as --parent {option}.", "Give it once, in either way."
        )
    if (name := option if word is None else word) is None:
        raise click.UsageError("Missing argument 'PARENT' (or option '--parent').")
    return name


def _request(name: str, ref: ModelRef, plan_only: bool, options: dict[str, Any]) -> SearchRequest:
    from zoo.distill.choices import draws_of
    from zoo.search.budget import parse_budget
    from zoo.search.request import SearchRequest
    from zoo.search.stopping import StopRule

    budget = parse_budget(options["budget"])
    axes = _axes(options["axes"])
    return SearchRequest(
        parent=name,
        budget=budget,
        out=options["out"],
        within=options["within"],
        axes=axes,
        least_share=options["least_share"],
        candidates=options["candidates"],
        keep=min(options["keep"], options["candidates"]),
        data=options["data"],
        text_column=options["text_column"],
        training=None if plan_only else _training(ref, options),
        rungs=options["rungs"],
        held_out=options["held_out"],
        calibration=options["samples"],
        depth_by=options["depth_by"],
        tasks=options["tasks"],
        task_limit=options["limit"],
        rule=StopRule(confidence=options["confidence"], tolerance=options["tolerance"], seed=options["seed"]),
        seed=options["seed"],
        confirm=options["confirm"],
        device=options["device"],
        teacher_cache=options["teacher_cache"],
        sampled=draws_of(options["cache"]),
    )


def _axes(words: tuple[str, ...]) -> Any:
    from zoo.errors import UnknownName
    from zoo.names import unknown
    from zoo.search.space import AXES

    for word in words:
        if word not in AXES:
            raise unknown(UnknownName, "axis", word, AXES, f"There are {', '.join(AXES)}.")
    return tuple(axis for axis in AXES if axis in words) or None


def _training(ref: ModelRef, options: dict[str, Any]) -> Training:
    """How candidates are trained; without text of its own only a nano parent's is known."""
    from minizoo.searching import is_nano
    from zoo.distill.recipes import steps_of
    from zoo.errors import ConflictingOptions
    from zoo.search.settings import Training

    if options["out"] is None:
        raise ConflictingOptions("There is nowhere to write to.", "Give --out DIR, or --plan-only.")
    nano = is_nano(ref)
    if not options["data"] and not nano:
        raise ConflictingOptions(
            f"There is no text to train candidates of {ref.shown} on.", "Give --data FILE, or --plan-only."
        )
    tokens = options["tokens"] or (NANO_TOKENS if nano else None)
    if tokens is None:
        raise ConflictingOptions(
            "How much text a candidate is trained on is not said.",
            "Give --tokens N. (The Minitron paper gave each candidate 1.8e9; rankings settled at three quarters of that.)",
        )
    batch, length = (
        options["batch"] or (NANO_BATCH if nano else BATCH),
        options["length"] or (NANO_LENGTH if nano else LENGTH),
    )
    warm_up = max(1, min(LONGEST_WARM_UP, round(WARM_UP_SHARE * steps_of(tokens, batch, length))))
    rate = options["rate"] or (NANO_RATE if nano else PEAK)
    return Training(tokens, batch, length, options["micro"] or min(batch, MICRO), rate, warm_up)
