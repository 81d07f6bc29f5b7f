"""`minizoo eval`: from a model's name to its scores, recorded and shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from minizoo.options import results_option, sandbox_options
from minizoo.output import Column, Output, json_option, note

if TYPE_CHECKING:
    from harness.accuracy import Outcome
    from harness.evaluation import Request
    from harness.records import MetricScore, Record


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
    from harness.evaluation import Request

    chosen = tuple(task for task in map(str.strip, tasks.split(",")) if task)
    request = Request(model=name, tasks=chosen, options=Options(device, dtype, exact=exact), **words)
    output = Output(as_json)
    if dry_run:
        return _show_plan(output, request, tokenizer)
    from harness.accuracy import run
    from minizoo.progress import EvalProgress

    with EvalProgress(quiet=as_json, packs=not exact) as progress:
        outcome = run(request, results, fresh, progress)
    return _show_outcome(output, outcome, results)


def _show_plan(output: Output, request: Request, tokenizer: Path | None) -> int:
    from harness.evaluation import dry_run
    from harness.plan import as_rows

    suite, plans = dry_run(request, tokenizer)
    rows = as_rows(plans)
    if output.as_json:
        output.document("plan", {"model": request.model, "suite": suite.name, "tasks": rows})
        return 0
    columns = [Column("task"), *(Column(h, True) for h in ("shots", "documents", "of", "requests", "tokens"))]
    columns += [Column("too long", True), Column("detects", True)]
    output.table(
        columns,
        [
            [
                r["task"], str(r["shots"]), f"{r['documents']:,}", f"{r['documents_total']:,}", f"{r['requests']:,}",
                f"{r['tokens']:,}", f"{r['truncated']:,}" if r["truncated"] else "–",
                f"{100 * r['detectable_difference']:.1f} points" if r["detectable_difference"] else "–",
            ]
            for r in rows
        ],
        f"{request.model}, suite {suite.name}: what would run",
    )  # fmt: skip
    output.text(f"{sum(r['requests'] for r in rows):,} requests, {sum(r['tokens'] for r in rows):,} tokens at most.")
    output.text("'detects': the smallest difference of two such runs that would show (95 % confidence, 80 % power).")
    return 0


def _show_outcome(output: Output, outcome: Outcome, results: Path) -> int:
    failed = [record for record in outcome.records if record.status != "ok"]
    if output.as_json:
        output.document(
            "evaluation",
            {
                "run_id": outcome.run_id,
                "computed": outcome.computed,
                "reused": outcome.reused,
                "records": [record.model_dump(mode="json") for record in outcome.records],
            },
        )
        return 4 if failed else 0
    first = outcome.records[0]
    columns = [Column("task"), Column("metric"), Column("filter"), Column("shots", True), Column("value", True)]
    columns += [Column("stderr", True), Column("95 % interval", True), Column("chance", True), Column("n", True)]
    rows = [_row(record, score) for record in outcome.records for score in record.scores]
    output.table(columns, rows, f"{first.subject.id} on {first.suite} ({first.setting.backend}, {first.setting.dtype})")
    for record in failed:
        note(f"{record.task} failed: {record.reason}")
    cut = {record.task: record.counts.truncated for record in outcome.records if record.counts}
    if any(cut.values()):
        told = ", ".join(f"{task} {count:,}" for task, count in cut.items() if count)
        note(f"Prompts cut on the left to fit the context: {told}.")
    for how in dict.fromkeys(record.isolation for record in outcome.records if record.isolation):
        note(f"Generated code ran under: {how}.")
    if outcome.reused:
        note(f"{outcome.reused:,} answers taken over from an interrupted run, {outcome.computed:,} computed.")
    output.text(f"Records: {results}/runs (run {outcome.run_id}).  Page: minizoo report --out DIR")
    return 4 if failed else 0


def _row(record: Record, score: MetricScore) -> list[str]:
    """Values as lm-eval prints them: shares between 0 and 1, perplexities in their own unit."""
    interval = f"{score.lower:.4f} – {score.upper:.4f}" if score.lower is not None else "–"
    return [
        record.task, score.metric, score.filter, "–" if record.shots is None else str(record.shots),
        _number(score.value), _number(score.stderr), interval, _number(score.chance), f"{score.n:,}",
    ]  # fmt: skip


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
