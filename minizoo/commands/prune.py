"""`minizoo prune`: cut a checkpoint to a smaller shape, or show what a cut would give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from minizoo.display.pruning import show_outcome
from minizoo.output import Output, json_option, note

if TYPE_CHECKING:
    from zoo.prune.calibration import CalibrationText
    from zoo.prune.parent import Parent
    from zoo.prune.request import DepthTask, PruneOptions
    from zoo.prune.scores import Scores

FUNCTIONS = click.Choice(["mean", "l2", "var"])
A_PATH = click.Path(path_type=Path)


@click.command(short_help="Cut a checkpoint to a smaller one, streamed.")
@click.option("--parent", required=True, help="Registry name, hub id, or folder of the checkpoint to cut.")
@click.option("--recipe", help="A registry model: cut to its dimensions, as published.")
@click.option("--target", multiple=True, metavar="AXIS=N…", help="hidden=, ffn=, heads=, layers= or drop=15-30.")
@click.argument("more", nargs=-1, metavar="[AXIS=N]...")
@click.option("--calibration", type=A_PATH, help="Text (.txt, .jsonl) or token ids (.npy) to score importance on.")
@click.option("--scores", type=A_PATH, help="Scores measured before, instead of --calibration.")
@click.option("--plan", type=A_PATH, help="A plan.json, instead of recipe or target.")
@click.option("--scores-only", is_flag=True, help="Measure and plot importance, and cut nothing.")
@click.option("--plan-only", is_flag=True, help="Show what would be cut; needs no weights.")
@click.option("--virtual", is_flag=True, help="Write no weights; --backend pruned then reads the parent's.")
@click.option("--samples", type=click.IntRange(min=1), default=1024, show_default=True, help="Calibration rows.")
@click.option("--length", type=click.IntRange(min=2), default=512, show_default=True, help="Tokens a row.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Draws the rows.")
@click.option("--batch-by", type=FUNCTIONS, default="l2", show_default=True, help="Aggregation over rows.")
@click.option("--sequence-by", type=FUNCTIONS, default="mean", show_default=True, help="Aggregation over tokens.")
@click.option(
    "--neurons",
    type=click.Choice(["post", "pre"]),
    default="post",
    show_default=True,
    help="Score a neuron after or before its activation.",
)
@click.option(
    "--depth-by",
    type=click.Choice(["bi", "ppl", "task"]),
    default="bi",
    show_default=True,
    help="Block Influence, perplexity, or a task without the layers.",
)
@click.option(
    "--depth-cut",
    type=click.Choice(["contiguous", "single"]),
    default="contiguous",
    show_default=True,
    help="Remove one block, or the single layers that cost least.",
)
@click.option("--depth-task", help="The task of --depth-by task, as minizoo eval knows it.")
@click.option("--depth-limit", type=click.IntRange(min=1), help="Documents of that task.")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="MINIZOO_DATA",
    help="Local mirror of hub data sets, for that task.",
)
@click.option("--head-residual", is_flag=True, help="Fold pruned query heads into kept ones; effect unpublished.")
@click.option(
    "--shard-gb",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="Largest weight file, in 10⁹ bytes.",
)
@click.option("--out", type=A_PATH, help="Folder to write; must not exist.")
@json_option
def prune(more: tuple[str, ...], data: Path | None, as_json: bool, **options: Unpack[PruneOptions]) -> int:
    """Cut a checkpoint to a smaller one, streamed: neither parent nor child is ever in memory.

    Units are chosen by importance on --calibration text. The child is not retrained.
    """
    from minizoo.display.progress import StepBar
    from zoo.prune.request import parse_request
    from zoo.prune.run import run

    request = parse_request({**options, "target": (*options["target"], *more)})
    with StepBar(quiet=as_json) as progress:
        outcome = run(request, open_text=_open_text, open_task=_task_opener(data), draw=_draw, progress=progress)
    show_outcome(Output(as_json), request, outcome)
    return 0


def _open_text(parent: Path, file: Path) -> CalibrationText:
    """Calibration text with the parent's tokenizer."""
    from backends.tokenizer import HfTokenizer
    from zoo.prune.calibration import CalibrationText

    tokenizer = HfTokenizer(parent)
    if tokenizer.note:
        note(tokenizer.note)
    encode = lambda texts: tokenizer.encode(texts, add_special_tokens=False)  # noqa: E731
    return CalibrationText(file, encode, tokenizer.bos_id, tokenizer.eos_id)


def _task_opener(data: Path | None) -> Callable[[Parent, DepthTask, Path], Callable[[Sequence[int]], float]]:
    """Scores depth candidates on a task, whose documents come from `data` where it is given."""

    def open_task(parent: Parent, task: DepthTask, work: Path) -> Callable[[Sequence[int]], float]:
        from harness.accuracy.downstream import task_scorer

        return task_scorer(parent, task.name, task.limit, data, "auto", work)

    return open_task


def _draw(scores: Scores) -> str:
    from reports.charts.importance import importance_svg

    return importance_svg(scores.arrays, scores.caption)
