"""`minizoo prune`: cut a checkpoint to a smaller shape, or show what a cut would give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from minizoo.display.pruning import estimate, show_outcome
from minizoo.output import Output, json_option, note

if TYPE_CHECKING:
    from zoo.prune.calibration import CalibrationText
    from zoo.prune.parent import Parent
    from zoo.prune.progress import ProgressCallback
    from zoo.prune.request import Choices, DepthTask
    from zoo.prune.run import OpenTask
    from zoo.prune.scores import Scores

FUNCTIONS = click.Choice(["mean", "l2", "var"])
A_PATH = click.Path(path_type=Path)


@click.command(short_help="Cut a checkpoint to a smaller one, streamed.")
@click.argument("words", nargs=-1, metavar="[PARENT] [AXIS=N]...")
@click.option("--parent", help="Registry name, hub id, or folder of the checkpoint to cut; or the first argument.")
@click.option("--recipe", help="A registry model: cut to its dimensions, as published.")
@click.option("--target", multiple=True, metavar="AXIS=N…", help="hidden=, ffn=, heads=, layers= or drop=15-30.")
@click.option("--calibration", type=A_PATH, help="Text (.txt, .jsonl) or token ids (.npy) to score importance on.")
@click.option("--text-column", metavar="NAME", help="Column of a .jsonl that holds the text; without it `text`.")
@click.option("--scores", type=A_PATH, help="Scores measured before, instead of --calibration.")
@click.option("--plan", type=A_PATH, help="A plan.json, instead of recipe or target.")
@click.option("--scores-only", is_flag=True, help="Measure and plot importance, and cut nothing.")
@click.option("--plan-only", is_flag=True, help="Show what would be cut; needs no weights.")
@click.option("--virtual", is_flag=True, help="Write no weights; what runs the child then reads the parent's.")
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
@click.option(
    "--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, a list cuda:0,cuda:1, all GPUs, or auto."
)
@click.option(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    help="What importance is computed in; auto: float32 on a CPU, on a GPU the weights' own.",
)
@click.option(
    "--tflops",
    type=click.FloatRange(min=0, min_open=True),
    help="TFLOP/s that the device keeps up: --plan-only then tells hours, which a measurement finds out by itself.",
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
def prune(
    words: tuple[str, ...],
    parent: str | None,
    data: Path | None,
    tflops: float | None,
    as_json: bool,
    **options: Unpack[Choices],
) -> int:
    """Cut a checkpoint to a smaller one, streamed: neither parent nor child is ever in memory.

    Units are chosen by importance on --calibration text. The child is not retrained.
    """
    parent, more = parent_and_targets(parent, words)
    from zoo.checkpoint.fetch import refuse_out_of_reach

    if not options["plan_only"]:
        refuse_out_of_reach(parent)  # before the engine is imported
    from minizoo.display.progress import StepBar
    from zoo.prune.request import parse_request
    from zoo.prune.run import run
    from zoo.prune.watcher import Watcher

    request = parse_request({**options, "parent": parent, "target": (*options["target"], *more)})
    with StepBar(quiet=as_json) as progress:
        watcher = Watcher(progress, note, lambda cost, rate: note(estimate(cost, rate)), progress.fetched)
        open_task = _task_opener(data, request.dtype, progress)
        outcome = run(request, open_text=_open_text, open_task=open_task, draw=_draw, watcher=watcher)
    show_outcome(Output(as_json), request, outcome, tflops)
    return 0


def parent_and_targets(option: str | None, words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The parent, given as the first word or as `--parent`, and the words that are targets.

    A word is the parent if it is no `AXIS=N`, be it for lack of `=` or because it is a folder of that name.
    """
    from zoo.errors import ConflictingOptions
    from zoo.prune.target import AXES

    named = bool(words) and ("=" not in words[0] or Path(words[0]).is_dir()) and words[0] not in AXES
    if not named:
        if option is None:
            raise click.UsageError("Missing argument 'PARENT' (or option '--parent').")
        return option, words
    if option is not None:
        raise ConflictingOptions(
            f"The parent is given twice, as {words[0]} and as --parent {option}.", "Give it once, in either way."
        )
    return words[0], words[1:]


def _open_text(parent: Path, file: Path) -> CalibrationText:
    """Calibration text with the parent's tokenizer."""
    from backends.tokenizer import HfTokenizer
    from zoo.prune.calibration import CalibrationText

    tokenizer = HfTokenizer(parent)
    if tokenizer.note:
        note(tokenizer.note)
    encode = lambda texts: tokenizer.encode(texts, add_special_tokens=False)  # noqa: E731
    return CalibrationText(file, encode, tokenizer.bos_id, tokenizer.eos_id)


def _task_opener(data: Path | None, dtype: str, progress: ProgressCallback) -> OpenTask:
    """Scores depth candidates on a task, whose documents come from `data` where it is given."""

    def open_task(parent: Parent, task: DepthTask, work: Path, device: str) -> Callable[[Sequence[int]], float]:
        from backends.contract import Options
        from harness.accuracy.downstream import CandidateWatcher, Scored, task_scorer

        scored = Scored(task.name, task.limit, data, Options(device, dtype))
        return task_scorer(parent, scored, work, CandidateWatcher(progress, note))

    return open_task


def _draw(scores: Scores) -> str:
    from reports.charts.importance import importance_svg

    return importance_svg(scores.arrays, scores.caption)
