"""`minizoo bench`: how fast a model runs here, beside what physics allows."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from minizoo.options import local_model_options, model_argument, names_of, results_option, worker_options
from minizoo.output import Output, json_option

if TYPE_CHECKING:
    from harness.speed.request import BenchRequest, Weights
    from harness.speed.trials.early_end import EarlyEnd
    from minizoo.display.speed import BenchNotes

N = TypeVar("N", int, float)
Notes = TypeVar("Notes", bound="BenchNotes")


@click.command()
@model_argument
@local_model_options
@click.option("--workload", default="batch1", show_default=True, help="Workload by name or YAML file.")
@click.option("--batch", "batches", default="", help="Batches instead of the workload's, separated by commas.")
@click.option("--rate", "rates", default="", help="Poisson arrivals a second instead of batches, separated by commas.")
@click.option("--trials", type=int, help="Trials a point at least, instead of the workload's.")
@click.option("--seconds", type=float, help="Seconds of trials a point at least.")
@click.option("--requests", type=int, help="Requests of a point with a rate.")
@click.option("--backend", help="What runs the model; without it hf, or pruned for what nothing else can run.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, or auto.")
@worker_options
@click.option("--endpoint", metavar="URL", help="With --backend openai: http(s)://HOST:PORT where the model is served.")
@click.option("--dtype", default="auto", show_default=True, help="float32, bfloat16, float16, or auto.")
@click.option(
    "--weights",
    type=click.Choice(["real", "random"]),
    default="real",
    show_default=True,
    help="random: of the true dimensions; none are fetched.",
)
@click.option("--against", help="A second model, measured in turn with the first: how many times as fast is the first?")
@click.option(
    "--against-weights", type=click.Choice(["real", "random"]), help="The second model's, if not as --weights."
)
@click.option(
    "--memory", type=float, help="GB that each may take where memory is to be equal, not what the second takes."
)
@click.option("--max-minutes", type=float, help="Of the whole run: past them no point and no trial begins.")
@click.option("--even-if-busy", is_flag=True, help="Measure on where others keep the machine busy; invalid then.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of prompts and arrivals.")
@click.option("--dry-run", is_flag=True, help="Say what it would need and could reach on each known GPU; run nothing.")
@results_option
@json_option
def bench(
    model: str, name: str | None, parent: str | None, workload: str, batches: str, rates: str, trials: int | None,
    seconds: float | None, requests: int | None, backend: str | None, device: str, endpoint: str | None, dtype: str,
    weights: Weights, against: str | None, against_weights: Weights | None, memory: float | None, max_minutes: float | None,
    even_if_busy: bool, seed: int, dry_run: bool, placing: dict[str, Any], results: Path, as_json: bool,
) -> int:  # fmt: skip
    """Measure a model's speed on a workload, valid or with the reasons why not, and record it.

    Exit code 3 where a point was measured and is not valid, or was not begun because the time was up or the machine busy; 4
    where one could not be measured.
    """
    if endpoint is not None and backend in (None, "hf", "pruned", "vllm", "trtllm"):
        raise click.UsageError("--endpoint goes with --backend openai: any other runs the model itself.")
    if weights == "real" and not dry_run:
        from zoo.checkpoint.fetch import refuse_out_of_reach

        refuse_out_of_reach(model)  # before the engine is imported
    if placing["workers"]:
        raise click.UsageError("--workers goes with `minizoo eval`: a speed is one engine's.")
    from backends.contract import Options
    from backends.several.seats import ALL
    from harness.speed.request import BenchRequest, LoadRequest
    from harness.speed.workloads.workload import changed, load_workload
    from zoo.errors import ConflictingOptions

    if placing["devices"] == ALL:  # a speed is measured on one device, unless an engine's own parts are named
        placing["devices"] = ()
    rule = {k: v for k, v in {"trials": trials, "seconds": seconds, "requests": requests}.items() if v is not None}
    request = BenchRequest(
        LoadRequest(model, name, parent, backend, Options(device, dtype, endpoint=endpoint, **placing), weights, seed),
        changed(load_workload(workload), _numbers(batches, int, "--batch"), _numbers(rates, float, "--rate"), rule),
        against,
        against_weights,
        None if memory is None else memory * 1e9,
        max_minutes,
        even_if_busy,
    )
    if dry_run and against is not None:
        raise ConflictingOptions("--dry-run shows the rooflines of one model.", "Leave out --against.")
    show = _dry_run if dry_run else _run if against is None else _compare
    return show(Output(as_json), request, results)


def _run(output: Output, request: BenchRequest, results: Path) -> int:
    from harness.speed.bench import run
    from minizoo.display.speed import BenchNotes, show_points

    with _interruptible(BenchNotes(quiet=output.as_json), results) as notes:
        outcome = run(request, results, notes)
    measured, not_begun = outcome.measured, [point.name for point in outcome.not_begun]
    if outcome.ended:
        notes.ended(outcome.ended, not_begun)
    if output.as_json:
        records = [point.document() for point in measured]
        document = {"run_id": outcome.run_id, "records": records, **_end(outcome.ended, not_begun)}
        output.document("bench", document)
    else:
        show_points(output, outcome.run_id, measured, results)
    required = measured[:1] if request.workload.batches == "sweep" else measured
    if any(point.record.status != "ok" for point in required):
        return 4
    invalid = any(point.outcome and not point.outcome.facts.validity.valid for point in measured)
    return 3 if invalid or not_begun else 0


def _compare(output: Output, request: BenchRequest, results: Path) -> int:
    from harness.speed.compare.run import compare
    from minizoo.display.comparison import PairNotes, show_paired

    with _interruptible(PairNotes(quiet=output.as_json), results) as notes:
        outcome = compare(request, results, notes)
    paired = outcome.pairs
    not_begun = [f"{pairing.point.name} against {pairing.against.name}" for pairing in outcome.not_begun]
    if outcome.ended:
        notes.ended(outcome.ended, not_begun)
    if output.as_json:
        pairs = [pair.document() for pair in paired]
        output.document("bench-comparison", {"pairs": pairs, **_end(outcome.ended, not_begun)})
    else:
        show_paired(output, paired, results)
    if any(pair.ours.record.status != "ok" for pair in paired):
        return 4
    found = [compared.recorded.valid for pair in paired for compared in pair.comparisons]
    return 0 if found and all(found) and not not_begun else 3


@contextmanager
def _interruptible(notes: Notes, results: Path) -> Generator[Notes]:
    """The notes while a run goes on; Ctrl-C first tells what is kept."""
    try:
        with notes:
            yield notes
    except KeyboardInterrupt:
        notes.interrupted(results)
        raise


def _end(ended: EarlyEnd | None, not_begun: list[str]) -> dict[str, Any]:
    """Why the run ended early (null: it did not), and what it did not begin."""
    return {"ended": ended and {"code": ended.code, "text": ended.text}, "not_begun": not_begun}


def _dry_run(output: Output, request: BenchRequest, _: Path) -> int:
    from dataclasses import asdict

    from harness.speed.ceilings import ceilings
    from minizoo.display.ceilings import show_ceilings
    from zoo.checkpoint.model_ref import resolve
    from zoo.folders.stored import held_of

    load = request.load
    ref = resolve(load.model, load.name, load.parent)
    held = held_of(ref, load.options.dtype)
    needs = list(ceilings(ref.dims, request.workload, held))
    if output.as_json:
        told = {"model": load.model, "dtype": held.told, "kv_cache_dtype": held.kv, "products": held.products}
        output.document("ceilings", {**told, "points": [asdict(need) for need in needs]})
    else:
        show_ceilings(output, f"{ref.shown}, {request.workload.name}", held, needs)
    return 0


def _numbers(listed: str, kind: type[N], option: str) -> tuple[N, ...]:
    """The numbers of a comma-separated option."""
    try:
        return tuple(kind(word) for word in names_of(listed))
    except ValueError:
        raise click.UsageError(f"{option} takes numbers separated by commas, not '{listed}'.") from None
