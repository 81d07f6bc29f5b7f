"""`minizoo eval`: from a model's name to its scores, recorded and shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from minizoo.display.accuracy import cut_prompts, or_note, show_beside, show_forecasts, show_scores
from minizoo.options import results_option, sandbox_options
from minizoo.output import Output, json_option, note

if TYPE_CHECKING:
    from harness.accuracy.prepare import Request
    from harness.accuracy.run import Outcome


@click.command()
@click.option("--model", "name", required=True, help="Registry name, hub id, or folder of a checkpoint.")
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
@click.option("--exact", is_flag=True, help="Score without sharing prefixes: the slow reference for packing.")
@click.option("--fresh", is_flag=True, help="Start anew instead of going on with an interrupted run.")
@click.option("--dry-run", is_flag=True, help="Say what would run, and run nothing.")
@sandbox_options
@results_option
@json_option
def evaluate(
    name: str, tasks: str, device: str, dtype: str, exact: bool, tokenizer: Path | None, fresh: bool, dry_run: bool,
    results: Path, as_json: bool, **words: Any,
) -> int:  # fmt: skip
    """Measure a model's accuracy on a suite of tasks, and record it."""
    if tokenizer and not dry_run:
        raise click.UsageError("--tokenizer goes with --dry-run: a run uses the checkpoint's own.")
    from backends.contract import Options
    from harness.accuracy.prepare import Request

    chosen = tuple(task for task in map(str.strip, tasks.split(",")) if task)
    request = Request(model=name, tasks=chosen, options=Options(device, dtype, eager=exact), **words)
    output = Output(as_json)
    if dry_run:
        return _show_plan(output, request, tokenizer)
    from harness.accuracy.run import run
    from minizoo.display.progress import EvalProgress

    with EvalProgress(quiet=as_json, packs=not exact) as progress:
        outcome = run(request, results, fresh, progress)
    return _show_outcome(output, outcome, results)


def _show_plan(output: Output, request: Request, tokenizer: Path | None) -> int:
    from dataclasses import asdict

    from harness.accuracy.dry_run import dry_run

    suite, rows, missing = dry_run(request, tokenizer)
    if missing:
        note(f"Estimated where not at hand: {', '.join(missing)}. --tokenizer and --data give exact numbers.")
    for task, reason in missing.items() if request.data else ():
        note(f"{task}: {reason}")
    if output.as_json:
        tasks = [asdict(row) for row in rows]
        output.document("plan", {"model": request.model, "suite": suite.name, "tasks": tasks, "missing": missing})
    else:
        show_forecasts(output, rows, f"{request.model}, suite {suite.name}: what would run")
    return 0


def _show_outcome(output: Output, outcome: Outcome, results: Path) -> int:
    from harness.store.reproduction import of_run

    failed = [record for record in outcome.records if record.status != "ok"]
    published = or_note(lambda: of_run(results, outcome.run_id))
    if output.as_json:
        output.document(
            "evaluation",
            {
                "run_id": outcome.run_id,
                "computed": outcome.computed,
                "reused": outcome.reused,
                "records": [record.model_dump(mode="json") for record in outcome.records],
                "reproduction": published,
            },
        )
        return 4 if failed else 0
    first = outcome.records[0]
    title = f"{first.subject.id} on {first.suite} ({first.setting.backend}, {first.setting.dtype})"
    show_scores(output, outcome.records, title)
    show_beside(output, published)
    for record in failed:
        note(f"{record.task} failed: {record.reason}")
    if cut := cut_prompts(outcome.records):
        told = ", ".join(f"{task} {count:,}" for task, count in cut.items())
        note(f"Prompts cut on the left to fit the context: {told}.")
    for how in dict.fromkeys(record.isolation for record in outcome.records if record.isolation):
        note(f"Generated code ran under: {how}.")
    if outcome.reused:
        note(f"{outcome.reused:,} answers taken over from an interrupted run, {outcome.computed:,} computed.")
    output.text(f"Records: {results}/runs (run {outcome.run_id}).  Page: minizoo report --out DIR")
    return 4 if failed else 0
