"""`minizoo bench`: how fast a model runs here, beside what physics allows."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

import click

from minizoo.output import Column, Output, json_option

if TYPE_CHECKING:
    from harness.speed.ceilings import Need
    from harness.speed.workloads import Workload

GB = 1e9
N = TypeVar("N", int, float)


@click.command()
@click.option("--model", "name", required=True, help="Registry name, hub id, or folder of a checkpoint.")
@click.option("--workload", default="batch1", show_default=True, help="Workload by name or YAML file.")
@click.option("--batch", "batches", default="", help="Batches instead of the workload's, separated by commas.")
@click.option("--dtype", default="auto", show_default=True, help="float32, bfloat16, float16, or auto.")
@click.option(
    "--weights",
    type=click.Choice(["real", "random"]),
    default="real",
    show_default=True,
    help="random: none are fetched.",
)
@click.option("--dry-run", is_flag=True, help="Say what it would need and could reach on each known GPU; run nothing.")
@json_option
def bench(name: str, workload: str, batches: str, dtype: str, weights: str, dry_run: bool, as_json: bool) -> int:
    """Measure a model's speed on a workload, valid or with the reasons why not, and record it."""
    from harness.speed.workloads import changed, load_workload

    chosen = changed(load_workload(workload), _numbers(batches, int, "--batch"))
    return _show_ceilings(Output(as_json), name, chosen, dtype)


def _show_ceilings(output: Output, name: str, workload: Workload, wanted: str) -> int:
    from harness.speed.ceilings import ceilings, dims_of_name, known_dtype

    dims, dtype = dims_of_name(name), known_dtype(wanted)
    needs = list(ceilings(dims, workload, dtype))
    if output.as_json:
        output.document("ceilings", {"model": name, "dtype": dtype, "points": [asdict(need) for need in needs]})
        return 0
    for need in needs:
        output.text(f"{name}, {workload.name} {need.point}, {dtype}")
        output.text(
            f"  a decode step: {need.decode.bytes / GB:.2f} GB, {need.decode.flops / 1e9:.1f} GFLOP;"
            f"  the prefill: {need.prefill.bytes / GB:.2f} GB, {need.prefill.flops / 1e12:.2f} TFLOP;"
            f"  memory: {need.memory / GB:.2f} GB and activations"
        )
        _show_table(output, need)
    output.text("Ceilings: the bytes of the weights (without the input embedding) and of the KV cache, and the FLOPs,")
    output.text("over the data sheet's bandwidth and dense peak. † a figure of the row is from a secondary source.")
    return 0


def _show_table(output: Output, need: Need) -> None:
    columns = [Column("GPU"), Column("architecture"), Column("batch", True), Column("tok/s, empty cache", True)]
    columns += [Column("tok/s, this workload", True), Column("binds"), Column("prefill ms", True), Column("fits")]
    output.table(
        columns,
        [
            [
                c.display + ("" if c.checked else " †"), c.architecture or "–", str(c.batch), f"{c.empty_cache:,.0f}",
                f"{c.workload:,.0f}", c.binds, f"{1e3 * c.prefill_seconds:.1f}", "yes" if c.fits else "no",
            ]
            for c in need.ceilings
        ],
    )  # fmt: skip


def _numbers(listed: str, kind: type[N], option: str) -> tuple[N, ...]:
    """The numbers of a comma-separated option."""
    try:
        return tuple(kind(part) for part in map(str.strip, listed.split(",")) if part)
    except ValueError:
        raise click.UsageError(f"{option} takes numbers separated by commas, not '{listed}'.") from None
