"""`minizoo distill`: retrain a cut checkpoint on what its parent says, or show what that would take."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import click

from minizoo.options import names_of, results_option
from minizoo.output import Output, json_option

if TYPE_CHECKING:
    from minizoo.display.distill.progress import DistillProgress
    from zoo.distill.choices import Choices
    from zoo.distill.request import DistillRequest
    from zoo.distill.run import Tools
    from zoo.distill.stages.pair import ModelTokenizer
    from zoo.distill.stages.text import HeldTasks
    from zoo.distill.train.watcher import Evaluate

A_PATH = click.Path(path_type=Path)
COUNT = click.IntRange(min=1)
RATE = click.FloatRange(min=0, min_open=True)


@click.command(short_help="Retrain a cut checkpoint on what its parent says.")
@click.option("--student", help="Registry name, hub id, or folder of the model that is trained; a plan is cut first.")
@click.option("--teacher", help="Registry name, hub id, or folder of the model that it learns from.")
@click.option(
    "--data", multiple=True, metavar="FILE[@SHARE]",
    help="Text: .txt, .jsonl, .parquet, a folder of them, or a hub data set NAME[:CONFIG[:SPLIT]]. Repeatable.",
)  # fmt: skip
@click.option("--text-column", metavar="NAME", help="Column of the text or of the turns; without it text, messages.")
@click.option("--skip-broken", is_flag=True, help="Leave out broken rows of the text, and count them.")
@click.option("--tokens", type=COUNT, help="Tokens to train on; with --recipe the published number.")
@click.option("--recipe", help="A registry model: rates, batch, length and tokens as published for it.")
@click.option(
    "--out", type=A_PATH, help="Folder to write; must not exist. The same command goes on with what is unfinished."
)
@click.option(
    "--loss", type=click.Choice(["kl", "reverse-kl"]), default="kl", show_default=True, help="From the teacher."
)
@click.option("--temperature", type=RATE, default=1.0, show_default=True, help="Of both distributions.")
@click.option(
    "--clm",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Weight of the text's own cross-entropy.",
)
@click.option("--states", multiple=True, metavar="T:S", help="Match layer S of the student with T of the teacher.")
@click.option("--embedding", is_flag=True, help="Match the embedding layer too.")
@click.option("--batch", type=COUNT, help="Rows a step, over all processes.")
@click.option("--length", type=click.IntRange(min=2), help="Tokens a row.")
@click.option("--micro", type=COUNT, help="Rows computed at once; without it the most that fit.")
@click.option("--rate", type=RATE, help="Peak learning rate; without recipe 1e-4.")
@click.option("--least-rate", type=click.FloatRange(min=0), help="Where the cosine ends; without recipe 1e-5.")
@click.option("--warm-up", type=click.IntRange(min=0), help="Steps up to the peak.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Orders rows, draws adapters.")
@click.option(
    "--dtype", type=click.Choice(["float32", "bfloat16"]), help="To compute in; bfloat16 on a GPU, else float32."
)
@click.option(
    "--optimizer", type=click.Choice(["adamw", "adamw-8bit"]), default="adamw", show_default=True,
    help="adamw-8bit is torchao's.",
)  # fmt: skip
@click.option("--lora", type=COUNT, metavar="RANK", help="Train adapters of this rank, not the weights: a departure.")
@click.option("--checkpoint-activations", is_flag=True, help="Compute activations twice, to keep fewer.")
@click.option(
    "--parallel", type=click.Choice(["auto", "none", "ddp", "fsdp"]), default="auto", show_default=True,
    help="How torchrun's processes share the model; auto: fsdp.",
)  # fmt: skip
@click.option(
    "--offload", is_flag=True, help="Keep weights, gradients and moments in the host's memory: slow, and fits more."
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, or auto.")
@click.option("--teacher-cache", type=A_PATH, help="Folder of what the teacher says: made, gone on with, or read.")
@click.option("--cache", metavar="FORM", help="exact, or sampled:K draws a token; without it exact.")
@click.option(
    "--correct-teacher", type=click.Choice(["no", "before", "beside"]), is_flag=False, flag_value="before", default="no",
    help="Fine-tune the teacher on the text: first (before), or step by step with the student (beside).",
)  # fmt: skip
@click.option("--correction-tokens", type=COUNT, help="Without it as many as the distillation's.")
@click.option("--correction-rate", type=RATE, help="Without it a fifth of the peak rate.")
@click.option("--save-every", type=click.IntRange(min=0), default=0, help="Steps between checkpoints.")
@click.option("--keep", type=COUNT, default=2, show_default=True, help="Checkpoints that stay, beside the best.")
@click.option("--eval-every", type=click.IntRange(min=0), default=0, help="Steps between two measurements of tasks.")
@click.option("--suite", help="Tasks that checkpoints are measured by; the best is what is written.")
@click.option(
    "--tasks", default="", callback=lambda _context, _option, words: names_of(words),
    help="lm-eval tasks instead of a suite, separated by commas.",
)  # fmt: skip
@click.option("--limit", type=COUNT, help="Documents a task.")
@click.option(
    "--mirror", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="MINIZOO_DATA",
    help="Local mirror of hub data sets, for tasks and their overlap.",
)  # fmt: skip
@click.option(
    "--overlap/--no-overlap", default=True, help="Look for documents of every suite in the text; the default."
)
@click.option("--drop-overlap", is_flag=True, help="Leave out the documents of the text that have one.")
@click.option(
    "--tracker", "trackers", multiple=True, metavar="NAME",
    help="Tell accelerate's tracker of that name every step: tensorboard, wandb, mlflow, trackio … Repeatable.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say steps, FLOPs, memory, disk and hours, and run nothing.")
@click.option("--gpus", type=COUNT, default=1, show_default=True, help="With --dry-run: so many, under FSDP2.")
@click.option("--gpu-memory", type=RATE, metavar="GB", help="With --dry-run: of each, in 10⁹ bytes.")
@click.option("--mfu", type=click.FloatRange(min=0, max=1, min_open=True), help="With --dry-run: share of the peak.")
@results_option
@json_option
def distill(
    student: str | None,
    teacher: str | None,
    limit: int | None,
    mirror: Path | None,
    gpus: int,
    gpu_memory: float | None,
    mfu: float | None,
    results: Path,
    as_json: bool,
    **options: Unpack[Choices],
) -> int:
    """Retrain a cut checkpoint on what its parent says: forward KL on logits, in memory that no logits fill.

    Under torchrun the student is sharded over the processes. A run that was stopped goes on with the same command.
    """
    from zoo.distill.request import parse_request

    request = parse_request(student, teacher, options)
    output = Output(as_json)
    if options["dry_run"]:
        from minizoo.display.distill.plan import show_plan
        from zoo.distill.preview import Machine, preview

        show_plan(output, preview(request, Machine(gpus, gpu_memory, mfu)))
        return 0
    _check_words(request)
    from minizoo.display.distill.progress import DistillProgress, show_outcome
    from zoo.distill.run import run

    first = os.environ.get("RANK", "0") == "0"  # of torchrun's processes one speaks
    with DistillProgress(quiet=as_json or not first, told=first) as progress:
        outcome = run(request, _tools(request, progress, results, limit, mirror), progress.watcher())
    if first:
        show_outcome(output, outcome)
    return 0 if outcome.finished else 130


def _check_words(request: DistillRequest) -> None:
    """What can be refused before an engine is imported: models out of reach, tasks that there are not."""
    from zoo.checkpoint.fetch import refuse_out_of_reach

    for word in (request.student, request.teacher):
        refuse_out_of_reach(word)
    if request.tasks:
        from harness.lmeval.loading.index import check_names
        from harness.suites.suite import known_folders

        check_names(request.tasks, known_folders())
    if request.suite:
        from harness.suites.suite import load_suite

        load_suite(request.suite)


def _tools(
    request: DistillRequest, progress: DistillProgress, results: Path, limit: int | None, mirror: Path | None
) -> Tools:
    from zoo.distill.run import Tools

    evaluate = _evaluator(request, progress, results, limit, mirror) if request.measures else None
    open_tasks = (lambda: _held_tasks(request, mirror)) if request.overlap else None
    return Tools(open_tokenizer, _draw, evaluate, open_tasks)


def open_tokenizer(folder: Path, vocabulary: int) -> ModelTokenizer:
    """The tokenizer of a checkpoint's folder, as the zoo takes it."""
    from backends.tokenizer import HfTokenizer
    from zoo.distill.data.tokenizing import TextTokenizer
    from zoo.distill.stages.pair import ModelTokenizer

    tokenizer = HfTokenizer(folder)
    encode = lambda texts: tokenizer.encode(texts, add_special_tokens=False)  # noqa: E731
    chat = (lambda turns: _conversation(tokenizer.inner, turns)) if tokenizer.chat_template else None
    text = TextTokenizer(encode, vocabulary, "", tokenizer.bos_id, tokenizer.eos_id, chat)
    return ModelTokenizer(text, tokenizer.inner.get_vocab())


def _conversation(tokenizer: Any, turns: Sequence[Mapping[str, str]]) -> str:
    """The text of a whole conversation, its last turn closed: that a turn ends is learnt too."""
    return tokenizer.apply_chat_template(list(turns), tokenize=False, add_generation_prompt=False)


def _evaluator(
    request: DistillRequest, progress: DistillProgress, results: Path, limit: int | None, mirror: Path | None
) -> Evaluate:
    """Scores a checkpoint's tasks, whose records go to `results`."""
    from backends.contract import Options
    from harness.accuracy.downstream import CandidateWatcher
    from harness.accuracy.training.checkpoints import Measured as Asked
    from harness.accuracy.training.checkpoints import check_measurable, checkpoint_scorer
    from harness.suites.suite import TaskSelection
    from zoo.distill.stages.told import step_of
    from zoo.distill.train.watcher import Measured

    name = (request.out or Path("distilled")).name
    selection = TaskSelection((request.suite,) if request.suite else (), request.tasks)
    asked = Asked(selection, Options(request.device, "auto"), results, name, request.teacher, limit, mirror)
    if progress.speaks:
        check_measurable(asked, request.student)
    score = checkpoint_scorer(asked, CandidateWatcher(progress, progress.noted))

    def evaluate(folder: Path) -> Measured:
        step = step_of(folder.name)
        scores = score(folder, step)
        for task, why in scores.failed.items():
            progress.noted(f"{task} has no score at step {step}: {why}")
        told = ", ".join(f"{task} {value:.4f}" for task, value in scores.tasks.items())
        progress.noted(f"Step {step}: {told}; {scores.by} {abs(scores.overall):.4f}")
        return Measured(scores.overall, dict(scores.tasks))

    return evaluate


def _held_tasks(request: DistillRequest, mirror: Path | None) -> HeldTasks:
    """The documents of every suite's tasks."""
    from harness.accuracy.training.task_texts import texts_of_suites
    from harness.suites.suite import load_suite
    from zoo.distill.data.overlap import HeldText
    from zoo.distill.stages.text import HeldTasks

    found = list(texts_of_suites(mirror, [load_suite(request.suite)] if request.suite else []))
    texts = [HeldText(task.task, str(at), text) for task in found for at, text in enumerate(task.texts)]
    return HeldTasks(texts, {task.task: task.missing for task in found if task.missing is not None})


def _draw(steps: Any, tasks: Any, caption: str) -> str:
    from reports.charts.losses import losses_svg

    return losses_svg(steps, tasks, caption)
