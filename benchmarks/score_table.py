"""The figures of `score.py` as a Markdown table."""

from __future__ import annotations

from typing import Any


def table(rows: list[dict[str, Any]]) -> str:
    """A row a measured case, under titles."""
    titles = "model|task|documents|HFLM|minizoo|wall ratio|CPU-time ratio|at least|FLOPs allow|token ratio|"
    titles += "peak memory|max Δ log p|flips"
    return "\n".join([f"|{titles}|", "|" + "---|" * len(titles.split("|")), *map(line, rows)])


def line(row: dict[str, Any]) -> str:
    """One case; `(missed)` where its target was not reached."""
    missed = "" if row.get("reached", True) else " (missed)"
    task = f"{row['task']} {row['shots']}-shot" if "shots" in row else row["task"]
    memory = [f"{row[name] / 2**30:.2f}" for name in ("hflm_peak_bytes", "packed_peak_bytes") if name in row]
    cells = [
        row["shape"], task, row.get("documents", ""), f"{min(row['hflm_seconds']):.1f} s",
        f"{min(row['packed_seconds']):.2f} s", f"{row['wall_ratio']:.1f}×{missed}", _times(row.get("cpu_ratio")),
        _times(row.get("target")), _times(row.get("flops_ratio")), _times(row.get("token_ratio")),
        " → ".join(memory) + " GiB" * bool(memory), f"{row['max_difference']:.1g}" if "max_difference" in row else "",
        _flips(row),
    ]  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


def _times(ratio: float | None) -> str:
    return f"{ratio:.1f}×" if ratio else ""


def _flips(row: dict[str, Any]) -> str:
    if row.get("flips_from_fp32"):
        return "{hflm} → {packed} from fp32".format(**row["flips_from_fp32"])
    return str(row["flips"] + row.get("greedy_flips", 0)) if "flips" in row else ""
