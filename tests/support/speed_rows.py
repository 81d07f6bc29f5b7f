"""Rows of speed as the store gives them to the page, for the tests of the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from reports.board.model import Board
from reports.pages.speed import hardware_page, pages
from reports.speed import hardware, queries
from reports.speed.section import SpeedRows
from support.boards import empty, site

RUN = "0199a1b2-0001-7abc-8def-0123456789ab"
A100 = "NVIDIA A100-SXM4-80GB"
WHEN = datetime(2026, 11, 30, 8, 15, tzinfo=UTC)
MEASURED = {"run_id": RUN, "finished_at": WHEN, "source": "measured", "contributed_by": None}
WHERE = {"device": "cuda:0", "gpu": A100, "processor": "AMD EPYC 7763", "dtype": "bfloat16"}


def point(**changes: Any) -> dict[str, Any]:
    """A valid point of a GPU; give what should differ."""
    return {
        **MEASURED, **WHERE, "task": "chat.512x128.b8", "model": "minitron-4b", "backend": "hf", "compute_dtype": "bfloat16",
        "status": "ok", "reason": None, "capability": "8.0", "workload": "chat", "point": "512x128.b8", "input_tokens": 512,
        "output_tokens": 128, "batch": 8, "rate": None, "weights": "random", "valid": True, "reasons": None,
        "note_codes": "random-weights; power-capped", "peak_allocator": 9_870_000_000, "peak_device": 11_000_000_000,
        "peak_resident": None, "roofline_percent": 61.27, "bound_by": "bandwidth", **changes,
    }  # fmt: skip


def figure(metric: str, value: float | None, **changes: Any) -> dict[str, Any]:
    """A median of that point, its interval a tenth to each side."""
    ends = {"lower": None, "upper": None} if value is None else {"lower": 0.9 * value, "upper": 1.1 * value}
    given = {"run_id": RUN, "task": "chat.512x128.b8", "metric": metric, "statistic": "p50", "value": value, **ends}
    return {**given, "n": 9, **changes}


FIGURES = [figure("output_rate", 812.5), figure("itl", 0.0098), figure("ttft", 0.041), figure("joules_per_token", 0.35)]


def ratio(**changes: Any) -> dict[str, Any]:
    """How many times as fast a child is as its parent."""
    return {
        **MEASURED, **WHERE, "task": "chat.512x128.b8", "model": "minitron-4b", "against": "minitron-8b", "backend": "hf",
        "workload": "chat", "point": "512x128.b8", "mode": "equal batch", "batch": 8, "against_batch": 8,
        "memory_budget": None, "metric": "output_rate", "ratio": 1.75, "lower": 1.7, "upper": 1.8, "p_value": 0.001, "n": 9,
        "against_n": 9, "valid": True, "weights": "random", **changes,
    }  # fmt: skip


def scoring(**changes: Any) -> dict[str, Any]:
    """A part of a task, scored beside lm-eval."""
    return {
        **MEASURED, **WHERE, "model": "minitron-4b", "backend": "hf", "weights": "random", "task": "scoring.hellaswag",
        "shots": 10, "documents": 120, "of": 10042, "requests": 480, "seconds": 12.5, "reference": "lm-eval HFLM, batch 1",
        "reference_seconds": 50.0, "ratio": 4.0, "peak_bytes": 1, "reference_peak_bytes": 2, "flips": 0, "largest": 0.031,
        "checked_documents": 20, "flips_from_fp32": 0, "reference_flips_from_fp32": 1, "largest_from_fp32": 0.02,
        "reference_largest_from_fp32": 0.03, "conforms": True, "tokenizer": "gpt2", "note": None, "status": "ok",
        "reason": None, **changes,
    }  # fmt: skip


def failed_scoring(**changes: Any) -> dict[str, Any]:
    """A task of which nothing was scored, as the page's query gives it."""
    kept = {*MEASURED, *WHERE, "model", "backend", "task", "shots"}
    absent = {name: value if name in kept else None for name, value in scoring().items()}
    return {**absent, "status": "failed", "reason": "out of memory", **changes}


def suite(**changes: Any) -> dict[str, Any]:
    """What the tasks come to."""
    return {
        "model": "minitron-4b", **WHERE, "weights": "random", "reference": "lm-eval HFLM, batch 1", "tasks": 3,
        "seconds": 1046.0, "reference_seconds": 4184.0, "ratio": 4.0, "extrapolated": True, "source": "measured",
        "contributed_by": None, **changes,
    }  # fmt: skip


def everything(**changes: Any) -> SpeedRows:
    """A row of each kind, each with the changes."""
    return SpeedRows(
        points=[point(**changes)],
        figures=[{**row, "run_id": changes.get("run_id", RUN)} for row in FIGURES],
        ratios=[ratio(**changes)],
        scoring=[scoring(**changes)],
        suites=[suite(**changes)],
    )


class SpeedStore:
    """Answers the queries of the speed pages from these rows, all of them made on the hardware of the first."""

    def __init__(self, rows: SpeedRows, evaluations: Sequence[Any] = ()) -> None:
        everything = [*rows.points, *rows.ratios, *rows.scoring, *rows.suites]
        self.hardware = everything[0] if everything else {"gpu": A100, "processor": None, "device": "cuda:0"}
        self.answers = {
            hardware.SEEN: [{name: self.hardware.get(name) for name in ("gpu", "processor", "device", "capability")}],
            queries.POINTS: list(rows.points),
            queries.FIGURES: list(rows.figures),
            queries.RATIOS: list(rows.ratios),
            queries.SCORING: list(rows.scoring),
            queries.SUITES: list(rows.suites),
            queries.EVALUATIONS: list(evaluations),
        }

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        return [dict(row) for row in self.answers[sql]]


def speed_site(rows: SpeedRows, board: Board | None = None, **more: Any) -> dict[str, str]:
    """Address → HTML of every speed page over these rows."""
    return dict(pages(site(board or empty(), reader=SpeedStore(rows, **more))))


def page_of(rows: SpeedRows, board: Board | None = None, **more: Any) -> str:
    """The page of the hardware that the rows were made on."""
    made = site(board or empty(), reader=SpeedStore(rows, **more))
    (of,) = [each for each in hardware.pages_of(made.reader) if each.seen_as]
    return hardware_page(made, of, queries.rows_on(made.reader, of.seen_as).in_order())
