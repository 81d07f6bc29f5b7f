"""`minizoo eval`: from a model's name to its scores, recorded and shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minizoo.options import eager_option, local_model_options, model_argument, names_of, results_option, sandbox_options
from minizoo.output import Output, json_option

if TYPE_CHECKING:
    from harness.suites.suite import Overflow


@click.command()
@model_argument
@local_model_options
@click.option("--suite", help="Suite by name or YAML file; without it the model's default suite runs.")
@click.option("--tasks", default="", help="lm-eval tasks instead of a suite, separated by commas.")
@click.option("--shots", type=click.IntRange(min=0), help="Few-shot examples for --tasks instead of each task's own.")
@click.option("--backend", default="hf", show_default=True, help="What runs the model.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, or auto.")
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
@click.option("--dry-run", is_flag=True, help="Say what would run, and run nothing.")
@sandbox_options
@results_option
@json_option
def evaluate(
    model: str, name: str | None, parent: str | None, suite: str | None, tasks: str, shots: int | None, backend: str,
    device: str, dtype: str, limit: int | None, overflow: Overflow | None, data: Path | None, tokenizer: Path | None,
    seed: int, fewshot_seeds: int, eager: bool, fresh: bool, dry_run: bool, results: Path, as_json: bool,
) -> int:  # fmt: skip
    """Measure a model's accuracy on a suite of tasks, and record it."""
    if tokenizer and not dry_run:
        raise click.UsageError("--tokenizer goes with --dry-run: a run uses the checkpoint's own.")
    if not dry_run:
        from zoo.checkpoint.fetch import refuse_out_of_reach

        refuse_out_of_reach(model)  # before the engine is imported
    from backends.contract import Options
    from harness.accuracy.prepare import DocumentRules, EvalRequest
    from harness.suites.suite import TaskSelection

    request = EvalRequest(
        model, name, parent,
        selection=TaskSelection((suite,) if suite else (), names_of(tasks), shots),
        backend=backend,
        options=Options(device, dtype, eager=eager),
        rules=DocumentRules(limit, overflow, fewshot_seeds),
        data=data,
        seed=seed,
    )  # fmt: skip
    output = Output(as_json)
    if dry_run:
        from harness.accuracy.dry_run import dry_run as plan
        from minizoo.display.dry_run import show_dry_run

        show_dry_run(output, plan(request, tokenizer), told_reasons=data is not None)
        return 0
    from harness.accuracy.run import run
    from minizoo.display.accuracy import show_outcome
    from minizoo.display.progress import EvalProgress

    with EvalProgress(quiet=as_json, packs=not eager) as progress:
        outcome = run(request, results, fresh, progress)
    show_outcome(output, outcome, results)
    return 0 if all(record.status == "ok" for record in outcome.records) else 4
