"""`minizoo bench`: how fast a model runs here, beside what physics allows."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from minizoo.options import results_option
from minizoo.output import Output, json_option

if TYPE_CHECKING:
    from harness.speed.opening import BenchRequest
    from harness.speed.workloads.workload import Workload

N = TypeVar("N", int, float)
LARGEST_GB = 1e6
"""Beyond any device."""


@click.command()
@click.option("--model", "name", required=True, help="Registry name, hub id, or folder of a checkpoint.")
@click.option("--workload", default="batch1", show_default=True, help="Workload by name or YAML file.")
@click.option("--batch", "batches", default="", help="Batches instead of the workload's, separated by commas.")
@click.option("--rate", "rates", default="", help="Poisson arrivals a second instead of batches, separated by commas.")
@click.option("--trials", type=int, help="Trials a point at least, instead of the workload's.")
@click.option("--seconds", type=float, help="Seconds of trials a point at least.")
@click.option("--requests", type=int, help="Requests of a point with a rate.")
@click.option("--backend", default="hf", show_default=True, help="What runs the model.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, or auto.")
@click.option("--dtype", default="auto", show_default=True, help="float32, bfloat16, float16, or auto.")
@click.option(
    "--weights",
    type=click.Choice(["real", "random"]),
    default="real",
    show_default=True,
    help="random: of the true dimensions; none are fetched.",
)
@click.option("--against", help="A second model, measured in turn with the first: how many times as fast is that one?")
@click.option(
    "--against-weights", type=click.Choice(["real", "random"]), help="The second model's, if not as --weights."
)
@click.option(
    "--memory", type=float, help="GB that each may take where memory is to be equal, not what the second takes."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of prompts and arrivals.")
@click.option("--dry-run", is_flag=True, help="Say what it would need and could reach on each known GPU; run nothing.")
@results_option
@json_option
def bench(
    name: str, workload: str, batches: str, rates: str, trials: int | None, seconds: float | None, requests: int | None,
    device: str, dtype: str, against: str | None, against_weights: str | None, memory: float | None, dry_run: bool,
    results: Path, as_json: bool, **words: Any,
) -> int:  # fmt: skip
    """Measure a model's speed on a workload, valid or with the reasons why not, and record it.

    Exit code 3 where a point was measured and is not valid, 4 where one could not be measured.
    """
    from harness.speed.workloads.workload import changed, load_workload

    rule = {k: v for k, v in {"trials": trials, "seconds": seconds, "requests": requests}.items() if v is not None}
    chosen = changed(load_workload(workload), _numbers(batches, int, "--batch"), _numbers(rates, float, "--rate"), rule)
    output = Output(as_json)
    if against is None and (against_weights or memory is not None):
        raise click.UsageError("--against-weights and --memory go with --against.")
    if against is not None and dry_run:
        raise click.UsageError("--dry-run shows the ceilings of one model: leave out --against.")
    if memory is not None and not 0 < memory < LARGEST_GB:
        raise click.UsageError(f"--memory is a number of GB above 0, not {memory:g}.")
    if dry_run:
        return _dry_run(output, name, chosen, dtype)
    from backends.contract import Options
    from harness.speed.bench import run
    from harness.speed.opening import BenchRequest
    from minizoo.display.speed import BenchNotes, show_records

    request = BenchRequest(name, chosen, options=Options(device, dtype), **words)
    if against is not None:
        other = replace(request, model=against, weights=against_weights or request.weights)
        return _compare(output, request, other, results, memory)
    records = run(request, results, BenchNotes(quiet=as_json))
    if as_json:
        output.document(
            "bench", {"run_id": records[0].run_id, "records": [record.model_dump(mode="json") for record in records]}
        )
    else:
        show_records(output, records, results)
    swept = chosen.batches == "sweep"
    if any(record.status != "ok" for record in records[: 1 if swept else None]):
        return 4
    return 0 if all(r.speed is None or r.speed.validity.valid or r.status != "ok" for r in records) else 3


def _compare(output: Output, request: BenchRequest, other: BenchRequest, results: Path, memory: float | None) -> int:
    from harness.speed.against import run_against
    from minizoo.display.comparison import PairNotes, as_document, show_compared

    budget = None if memory is None else int(memory * 1e9)
    compared = run_against(request, other, results, budget, PairNotes(quiet=output.as_json))
    if output.as_json:
        output.document("bench-comparison", as_document(compared))
    else:
        show_compared(output, compared, results)
    if any(one.record.status != "ok" for one in compared):
        return 4
    found = [
        comparison for one in compared for comparison in (one.record.speed.comparisons if one.record.speed else ())
    ]
    return 0 if found and all(comparison.valid for comparison in found) else 3


def _dry_run(output: Output, name: str, workload: Workload, wanted: str) -> int:
    from harness.speed.ceilings import ceilings, dims_of_name, known_dtype
    from minizoo.display.speed import show_ceilings

    dtype = known_dtype(wanted)
    needs = list(ceilings(dims_of_name(name), workload, dtype))
    if output.as_json:
        output.document("ceilings", {"model": name, "dtype": dtype, "points": [asdict(need) for need in needs]})
    else:
        show_ceilings(output, name, workload.name, dtype, needs)
    return 0


def _numbers(listed: str, kind: type[N], option: str) -> tuple[N, ...]:
    """The numbers of a comma-separated option."""
    try:
        return tuple(kind(part) for part in map(str.strip, listed.split(",")) if part)
    except ValueError:
        raise click.UsageError(f"{option} takes numbers separated by commas, not '{listed}'.") from None
