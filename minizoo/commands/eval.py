"""`minizoo eval`: from the names of models to their scores, recorded and shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from minizoo.options import (
    eager_option,
    local_model_options,
    models_argument,
    names_of,
    node_options,
    results_option,
    sandbox_options,
    worker_options,
)
from minizoo.output import Output, json_option
from zoo.errors import ConflictingOptions

if TYPE_CHECKING:
    from harness.suites.suite import Overflow


@click.command()
@models_argument
@local_model_options
@click.option("--suite", help="Suite by name or YAML file; without it the model's default suite runs.")
@click.option("--tasks", default="", help="lm-eval tasks instead of a suite, separated by commas.")
@click.option("--shots", type=click.IntRange(min=0), help="Few-shot examples for --tasks instead of each task's own.")
@click.option("--chat", is_flag=True, help="Prompts of --tasks through the tokenizer's chat template, shots as turns.")
@click.option("--backend", help="What runs the model; without it `pruned` where only that can, else `hf`.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, or auto.")
@worker_options
@node_options
@click.option("--endpoint", metavar="URL", help="With --backend openai: http(s)://HOST:PORT where the model is served.")
@click.option("--dtype", default="auto", show_default=True, help="float32, bfloat16, float16, or auto.")
@click.option("--limit", type=click.IntRange(min=1), help="Documents a task, chosen by hash; prompts as in the whole.")
@click.option("--overflow", type=click.Choice(["refuse", "truncate"]), help="Too long a prompt: refuse, or cut left.")
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="MINIZOO_DATA",
    help="Local mirror of hub data sets; with it nothing touches the network.",
)  # fmt: skip
@click.option("--tokenizer", type=click.Path(path_type=Path), help="Tokenizer folder, to plan without a checkpoint.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of sampled generations.")
@click.option(
    "--fewshot-seeds", type=click.IntRange(min=1, max=100), default=1, show_default=True,
    help="Draws of few-shot examples: the spread of the score over them is recorded, and widens the margin of a verdict.",
)  # fmt: skip
@eager_option
@click.option("--fresh", is_flag=True, help="Start anew instead of going on with an interrupted run.")
@click.option("--dry-run", is_flag=True, help="Say what would run, in what memory and about how long, and run nothing.")
@click.option(
    "--no-probe", is_flag=True,
    help="With --dry-run: where no run tells the time, do not run the model for 20 s to estimate it.",
)  # fmt: skip
@sandbox_options
@results_option
@json_option
def evaluate(
    models: tuple[str, ...], name: str | None, parent: str | None, suite: str | None, tasks: str, shots: int | None,
    chat: bool, backend: str | None, device: str, endpoint: str | None, dtype: str, limit: int | None,
    overflow: Overflow | None, data: Path | None, tokenizer: Path | None, seed: int, fewshot_seeds: int, eager: bool,
    fresh: bool, dry_run: bool, no_probe: bool, placing: dict[str, Any], results: Path, as_json: bool,
) -> int:  # fmt: skip
    """Measure the accuracy of a model, or of several in turn, on a suite of tasks, and record it."""
    if tokenizer and not dry_run:
        raise click.UsageError("--tokenizer goes with --dry-run: a run uses the checkpoint's own.")
    if no_probe and not dry_run:
        raise click.UsageError("--no-probe goes with --dry-run: a run probes nothing.")
    if endpoint is not None and backend in (None, "hf", "pruned", "vllm", "trtllm"):
        raise click.UsageError("--endpoint goes with --backend openai: any other runs the model itself.")
    if tasks:
        from harness.lmeval.loading.index import check_names
        from harness.suites.suite import known_folders

        check_names(names_of(tasks), known_folders())  # before the engine is imported, like the next
    if len(models) > 1:
        _check_options_of_several(name, tokenizer)
    elif not dry_run:
        from zoo.checkpoint.fetch import refuse_out_of_reach

        if not (suite or tasks):
            from harness.suites.suite import check_default

            check_default(next(iter(models)))  # what to ask comes before what is there
        refuse_out_of_reach(next(iter(models)))  # before the engine is imported
    from backends.contract import Options
    from harness.accuracy.prepare import DocumentRules, EvalRequest
    from harness.suites.suite import TaskSelection
    from minizoo.evaluations import evaluate_all, plan_all

    requests = [
        EvalRequest(
            model, name, parent,
            selection=TaskSelection((suite,) if suite else (), names_of(tasks), shots, chat),
            backend=backend,
            options=Options(device, dtype, eager=eager, endpoint=endpoint, **placing),
            rules=DocumentRules(limit, overflow, fewshot_seeds),
            data=data,
            seed=seed,
        )
        for model in models
    ]  # fmt: skip
    output = Output(as_json)
    if dry_run:
        return plan_all(output, requests, results, tokenizer, not no_probe)
    return evaluate_all(output, requests, results, fresh)


def _check_options_of_several(name: str | None, tokenizer: Path | None) -> None:
    """ConflictingOptions for what can be said of one model alone."""
    for option, given in (("--name", name), ("--tokenizer", tokenizer)):
        if given is not None:
            raise ConflictingOptions(
                f"{option} says something of one model, and several are given.", "Leave it out, or run them one by one."
            )
