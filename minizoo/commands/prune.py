"""`minizoo prune`: cut a checkpoint to a smaller shape, or say what a cut would give."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from minizoo.output import Column, Output, json_option, note

if TYPE_CHECKING:
    from zoo.prune.parent import Parent
    from zoo.prune.plan import Plan
    from zoo.prune.run import Downstream, PruneRequest, Text
    from zoo.prune.scores import Scores
    from zoo.prune.target import ChildShape

FUNCTIONS = click.Choice(["mean", "l2", "var"])
A_PATH = click.Path(path_type=Path)


@click.command(short_help="Cut a checkpoint to a smaller one, streamed.")
@click.option("--parent", "name", required=True, help="Registry name, hub id, or folder of the checkpoint to cut.")
@click.option("--recipe", help="A registry model: cut to its dimensions, as published.")
@click.option("--target", multiple=True, metavar="AXIS=N…", help="hidden=, ffn=, heads=, layers= or drop=15-30.")
@click.argument("more", nargs=-1, metavar="[AXIS=N]...")
@click.option("--calibration", type=A_PATH, help="Text (.txt, .jsonl) or token ids (.npy) to score importance on.")
@click.option("--scores", "scores_file", type=A_PATH, help="Scores measured before, instead of --calibration.")
@click.option("--plan", "plan_file", type=A_PATH, help="A plan.json, instead of recipe or target.")
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
    help="Remove one block, or the cheapest layers.",
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
def prune(
    name: str, recipe: str | None, target: tuple[str, ...], more: tuple[str, ...], plan_file: Path | None, plan_only: bool,
    scores_only: bool, calibration: Path | None, scores_file: Path | None, out: Path | None, virtual: bool, shard_gb: float,
    as_json: bool, **ways: Any,
) -> int:  # fmt: skip
    """Cut a checkpoint to a smaller one, streamed: neither parent nor child is ever in memory.

    Units are chosen by importance on --calibration text. The child is not retrained.
    """
    _check_options(calibration, scores_file, plan_file, recipe or target or more, plan_only, scores_only, out)
    output = Output(as_json)
    if plan_file:
        from zoo.prune.plan import read_plan

        plan = read_plan(plan_file)
        return _show(output, plan.shape, plan) if plan_only else _cut(output, name, plan, None, out, virtual, shard_gb)
    if bool(ways["depth_task"]) != (ways["depth_by"] == "task" and not scores_file):
        raise click.UsageError(
            "--depth-by task and --depth-task NAME go together, to measure; --scores brings its own."
        )
    search = (ways.pop("depth_task"), ways.pop("depth_limit"), ways.pop("data"))
    wish = _wish(recipe, (*target, *more), scores_only, ways)
    if plan_only and not calibration:
        return _preview(output, name, wish, scores_file, out)
    return _measure_and_cut(
        output,
        name,
        wish,
        calibration,
        scores_file,
        out or Path("plan"),
        plan_only,
        scores_only,
        virtual,
        shard_gb,
        search,
    )


def _check_options(
    calibration: Path | None, scores: Path | None, plan: Path | None, cut: object, plan_only: bool, scores_only: bool,
    out: Path | None,
) -> None:  # fmt: skip
    from zoo.errors import InputError

    if plan and (cut or calibration or scores or scores_only):
        raise click.UsageError("--plan says all that is cut: give no recipe, target, calibration or scores with it.")
    if calibration and scores:
        raise click.UsageError("--calibration measures scores, --scores brings them: give one.")
    if scores_only and not calibration:
        raise click.UsageError("--scores-only needs --calibration FILE to measure on.")
    if out is None and not (plan_only and not calibration):
        raise click.UsageError("--out DIR is missing: where to write.")
    if out is not None and out.exists():
        raise InputError(f"{out} is already there.", "Give another --out, or remove it first.")


def _wish(recipe: str | None, words: tuple[str, ...], scores_only: bool, ways: dict[str, Any]) -> PruneRequest:
    from zoo.prune.calibration import Sampling
    from zoo.prune.importance.aggregate import Aggregation
    from zoo.prune.run import parse_request

    sampling = Sampling(ways.pop("samples"), ways.pop("length"), ways.pop("seed"))
    how = Aggregation(ways.pop("batch_by"), ways.pop("sequence_by"))
    return parse_request(recipe, words, nothing=scores_only, sampling=sampling, aggregation=how, **ways)


def _preview(output: Output, name: str, wish: PruneRequest, scores_file: Path | None, out: Path | None) -> int:
    from zoo.prune.plan import ParentIdentity
    from zoo.prune.run import dims_without_weights, planned, read_scores, write_plan

    parent, dims = dims_without_weights(name)
    scores = read_scores(scores_file) if scores_file else None
    plan = planned(ParentIdentity(name=parent, dims=dims), wish, scores)
    if plan is not None and out is not None:
        write_plan(plan, out)
    elif out is not None:
        note("No plan was written: which units stay is chosen by scores, so give --scores or --calibration.")
    return _show(output, wish.shape(dims), plan)


def _measure_and_cut(
    output: Output, name: str, wish: PruneRequest, calibration: Path | None, scores_file: Path | None, out: Path, plan_only: bool,
    scores_only: bool, virtual: bool, shard_gb: float, search: tuple[str | None, int | None, Path | None],
) -> int:  # fmt: skip
    from minizoo.display.bars import StepBar
    from zoo.prune import run as job
    from zoo.prune.plan import ParentIdentity

    parent = _open(name)
    shape = wish.shape(parent.dims)
    scores = job.read_scores(scores_file) if scores_file else None
    if calibration:
        with StepBar(quiet=output.as_json) as bar:
            removed = 0 if shape.drop else shape.removed
            work = job.work_folder(out)
            text, downstream = _text(parent, calibration), _downstream(parent, search, work)
            scores = job.scored(parent, wish, text, work, bar, removed, downstream)
    if scores_only and scores:
        written = job.write_scores(scores, out)
        job.clear_work(out)
        return _show_scores(output, scores, written)
    identity = ParentIdentity(name=parent.name, digest=parent.digest, dims=parent.dims)
    plan = job.planned(identity, wish, scores)
    if plan is None:
        raise click.UsageError("Which units stay is chosen by importance: give --calibration FILE or --scores FILE.")
    if plan_only:
        job.write_plan(plan, out)
        job.clear_work(out)
        return _show(output, plan.shape, plan)
    code = _cut(output, name, plan, scores, out, virtual, shard_gb)
    job.clear_work(out)
    return code


def _cut(
    output: Output, name: str, plan: Plan, scores: Scores | None, out: Path | None, virtual: bool, shard_gb: float
) -> int:
    from minizoo.display.bars import StepBar
    from zoo.prune.write.writer import write_child, write_virtual

    parent = _open(name)
    assert out is not None
    with StepBar(quiet=output.as_json) as bar:
        if virtual:
            write_virtual(plan, parent, out, scores)
        else:
            write_child(plan, parent, out, int(shard_gb * 1e9), bar, scores)
    code = _show(output, plan.shape, plan, out, not virtual)
    if not output.as_json:
        backend = "" if plan.shape.uniform and not virtual else " --backend pruned"
        output.text(f"Written: {out}.  Next: minizoo eval --model {out}{backend}")
    return code


def _open(name: str) -> Parent:
    from zoo.checkpoint.locate import locate
    from zoo.prune.parent import open_parent

    checkpoint = locate(name)
    return open_parent(checkpoint.folder, checkpoint.name)


def _text(parent: Parent, path: Path) -> Text:
    from zoo.prune.run import Text

    if path.suffix == ".npy":  # token ids already
        return Text(path, lambda _: [], None, None)
    from backends.tokenizer import HfTokenizer

    words = HfTokenizer(parent.folder)
    return Text(path, lambda texts: words.encode(texts, add_special_tokens=False), words.bos_id, words.eos_id)


def _downstream(parent: Parent, search: tuple[str | None, int | None, Path | None], work: Path) -> Downstream | None:
    from harness.accuracy.downstream import task_scorer
    from zoo.prune.run import Downstream

    task, limit, data = search
    return Downstream(task, limit, task_scorer(parent, task, limit, data, "auto", work)) if task else None


def _show_scores(output: Output, scores: Scores, written: list[Path]) -> int:
    shapes = {name: list(values.shape) for name, values in sorted(scores.arrays.items())}
    if output.as_json:
        output.document("scores", {"digest": scores.digest(), "axes": shapes, "files": [str(p) for p in written]})
        return 0
    columns = [
        Column("axis"),
        Column("scores", number=True),
        Column("lowest", number=True),
        Column("highest", number=True),
    ]
    rows = [
        (name, " × ".join(map(str, v.shape)), f"{v.min():.4g}", f"{v.max():.4g}")
        for name, v in sorted(scores.arrays.items())
    ]
    output.table(columns, rows)
    output.text(f"Written: {', '.join(map(str, written))}")
    return 0


def _show(
    output: Output, shape: ChildShape, plan: Plan | None, out: Path | None = None, with_weights: bool = True
) -> int:
    from zoo.prune.preview import preview

    told = preview(shape, plan, with_weights)
    if output.as_json:
        output.document("plan", {**told, "out": None if out is None else str(out)})
        return 0
    columns = [
        Column("dimension"),
        Column("parent", number=True),
        Column("child", number=True),
        Column("cut", number=True),
    ]
    output.table(columns, [(row["axis"], row["parent"], row["child"], row["cut"]) for row in told["axes"]])
    output.text()
    output.table([Column("of the child"), Column("")], told["facts"])
    return 0
