"""The figures as lines to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MIB = 1 << 20


def lines(document: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """Each part that the document has."""
    for part, told in (("loss", _loss), ("cache", _cache), ("step", _step)):
        for row in document.get(part, []):
            yield f"{part}, {row['at']}, torch {row['torch']}, load {row['load']:.1f}"
            yield from told(row)


def _loss(row: dict[str, Any]) -> Iterator[str]:
    yield (
        f"  {row['tokens']:,} tokens × {row['vocabulary']:,}, {row['dtype']}, {row['threads']} threads: "
        + ("kept" if row["kept"] else "MISSED")
    )
    for form in ("dense", "chunked", "trl"):
        if form in row:
            own = row[form]
            yield (
                f"    {form:8} {own['bytes_beside_gradient'] / MIB:8,.0f} MiB {own['seconds']:7.2f} s "
                f"({own['cpu_seconds']:.2f} CPU)  loss {own['loss']:.6f}"
                + "".join(f"  Δ{name} {value:.1e}" for name, value in row["apart"].get(form, {}).items())
            )
    by_cpu = row["times_as_fast_by_cpu_seconds"]
    yield f"    1/{row['saving']:.1f} of the memory, {row['times_as_fast']:.2f}× as fast ({by_cpu:.2f}× by CPU seconds)"


def _cache(found: dict[str, Any]) -> Iterator[str]:
    for row in found["formats"]:
        if row["form"] == "live":
            yield f"  {row['dtype']:8} forward alone: {row['forward']['tokens_a_second']:,.0f} tokens/s"
            continue
        k = f":{row['k']}" if row["k"] else ""
        apart = f", loss apart {row['loss_apart']:.1e}" if "loss_apart" in row else ""
        yield (
            f"  {row['dtype']:8} {row['form']}{k}: {row['bytes_a_token']:,.1f} bytes a token, "
            f"written {row['write']['tokens_a_second']:,.0f}, read {row['read']['tokens_a_second']:,.0f} tokens/s{apart}"
        )
    for row in found["gradient"]:
        yield (
            f"  {row['pair']:6} {row['draw']:11} k = {row['k']:3}: bias {row['bias']:.4f} (chance {row['chance']:.4f}), "
            f"variance {row['variance']:.4f} on {row['positions']} positions; bias of the top k {row['top_k_bias']:.4f}"
        )


def _step(found: dict[str, Any]) -> Iterator[str]:
    parts = ", ".join(f"{name} {part['seconds']:.2f} s" for name, part in found["parts"].items())
    step = found["step"]
    yield (
        f"  a step of {found['batch']} × {found['length']} tokens, vocabulary {found['vocabulary']:,}: {step['seconds']:.2f} s "
        f"({step['cpu_seconds']:.2f} CPU), {step['bytes_above_models'] / MIB:,.0f} MiB above the models; {parts}"
    )
    for name in ("step_to_forwards_and_backward", "step_to_these_and_optimizer"):
        ratio = found[name]
        yield f"  {name.replace('_', ' ')}: {ratio['seconds']:.2f} ({ratio['cpu_seconds']:.2f} by CPU seconds)"
    if "trl" in found:
        trl = found["trl"]
        yield (
            f"  {trl['class']}: {trl['seconds']:.2f} s ({trl['cpu_seconds']:.2f} CPU), "
            f"{trl['bytes_above_models'] / MIB:,.0f} MiB; ours {trl['times_as_fast']:.2f}× as fast "
            f"({trl['times_as_fast_by_cpu_seconds']:.2f}× by CPU), 1/{trl['memory_ratio']:.2f} of the memory; "
            + ("equal" if trl["equal"] else "NOT EQUAL")
            + f" (Δloss ≤ {max(trl['apart']['loss']):.1e}, Δ‖g‖ ≤ {max(trl['apart']['grad_norm']):.1e})"
        )
