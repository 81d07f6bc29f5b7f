"""How the rooflines of a model are shown: what it needs of any machine, and what every known GPU allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minizoo.display.scale import scaled_unit
from minizoo.output import Column, Output

if TYPE_CHECKING:
    from harness.speed.ceilings import Need
    from zoo.arch.held import Held


def show_ceilings(output: Output, what: str, held: Held, needs: list[Need]) -> None:
    """What each point needs of any machine, and the ceiling of every GPU of the table; `what` is the model and the workload."""
    for need in needs:
        output.text(f"{what} {need.point}, {held.told}")
        output.text(
            f"  a decode step: {scaled_unit(need.decode.bytes, 'B')}, {scaled_unit(need.decode.flops, 'FLOP')};"
            f"  the prefill: {scaled_unit(need.prefill.bytes, 'B')}, {scaled_unit(need.prefill.flops, 'FLOP')};"
            f"  memory: {scaled_unit(need.memory, 'B')} and activations"
        )
        _show_gpus(output, need, mixed=len(held.products) > 1)
    if not needs:
        output.text("No ceilings: the batch of an open loop changes from step to step. Give --batch instead of --rate.")
        return
    output.text("Ceilings: the bytes of the weights (without the input embedding) and of the KV cache, and the FLOPs,")
    output.text("over the data sheet's bandwidth and dense peak. † a figure of the row is from a secondary source.")

    if len(held.products) > 1:
        output.text(f"Products: {held.products[0]} where the GPU has units for it; else the stored bytes are read, and")
        output.text(f"products are computed in {held.products[1]}.")
    if held.kv != "bfloat16":
        output.text(f"The KV cache is counted in {held.kv}.")


def _show_gpus(output: Output, need: Need, mixed: bool) -> None:
    columns = [Column("GPU"), Column("architecture", importance=0), Column("batch", True)]
    columns += [Column("tok/s, empty cache", True), Column("tok/s, this workload", True, 3), Column("bound by")]
    columns += [Column("prefill ms", True, 2), Column("fits", importance=3)]
    columns += [Column("products", importance=2)] if mixed else []
    output.table(
        columns,
        [
            [
                c.display + ("" if c.checked else " †"), c.architecture or "–", str(c.batch), f"{c.empty_cache:,.0f}",
                f"{c.workload:,.0f}", c.bound_by, f"{1e3 * c.prefill_seconds:.1f}", "yes" if c.fits else "no",
                *([c.products or "–"] if mixed else []),
            ]
            for c in need.ceilings
        ],
    )  # fmt: skip
