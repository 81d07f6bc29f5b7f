"""Boards made by hand, for pages: a few honest rows, an empty one, hostile ones, and as many as are asked for."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from reports.board.model import Board, BoardRow, ColumnKey, Failure, Figure, ModelFacts, Share, SpeedUp, TaskColumn
from reports.site.input import SiteInput
from support.browser import HOSTILE
from zoo.registry.loader import load_registry

MMLU = ColumnKey("mmlu", "acc", "none", 5)
GSM8K = ColumnKey("gsm8k", "exact_match", "strict-match", 5)
PERPLEXITY = ColumnKey("nano_text", "word_perplexity", "none", 0)
CHOICE = ColumnKey("nano_choice", "acc", "none", 3)
COLUMNS = (
    TaskColumn(MMLU, "paper", True, 0.25),
    TaskColumn(GSM8K, "paper", True, 0.0),
    TaskColumn(CHOICE, "nano", True, 0.25),
    TaskColumn(PERPLEXITY, "nano", False, None),
)
RUN = "20261130T032931Z-a1b2c3"
H100, CPU = "NVIDIA H100 80GB HBM3", "AMD EPYC"


class NoRecords:
    """A reader of a store that holds nothing."""

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        return []


def site(board: Board, **changes: Any) -> SiteInput:
    """What a page maker gets, over that board, the shipped registry and no records."""
    given: dict[str, Any] = {
        "results": Path("/nowhere"),
        "reader": cast("Any", NoRecords()),
        "registry": load_registry(),
    }
    return SiteInput(board=board, version="0.0.test", **{**given, **changes})


def facts(name: str, **changes: Any) -> ModelFacts:
    """A base model of 4 billion parameters about which most is known."""
    given: dict[str, Any] = {
        "id": name, "display": name, "registered": True, "kind": "base", "family": "minitron",
        "parameters": 4_000_000_000, "licence": "nvidia-open-model-license", "commercial": True, "context": 8192,
        "weight_bytes": 8_000_000_000, "kv_bytes_per_token": 131_072, "state_bytes": 0, "hub": f"owner/{name}",
    }  # fmt: skip
    return ModelFacts(**{**given, **changes})


def measured(value: float | None, half: float = 0.01, **changes: Any) -> Figure:
    """A figure of a whole task, measured here."""
    ends = (None, None) if value is None else (value - half, value + half)
    given: dict[str, Any] = {"n": 1000, "total": 1000, "run_id": RUN, "finished_at": "2026-11-30T03:29:31Z"}
    return Figure("measured", value, *ends, **{**given, **changes})


def published(value: float, **changes: Any) -> Figure:
    """A figure that a paper prints, with its sampling interval."""
    given: dict[str, Any] = {
        "lower": value - 0.01, "upper": value + 0.01, "n": 14042, "total": 14042, "approximate": True,
        "origin": "minitron-paper", "printed": f"{100 * value:.1f}",
    }  # fmt: skip
    return Figure("published", value, **{**given, **changes})


def row(model: ModelFacts, figures: Mapping[ColumnKey, tuple[Figure, ...]], **changes: Any) -> BoardRow:
    """A row; one that was run where `backend` and `hardware` are given."""
    return BoardRow(facts=model, figures=figures, **changes)


def small() -> Board:
    """Two families: a published pair that nobody measured, and one measured pair of which two models tie."""
    parent = facts("big-15b", family="parent", parameters=15_000_000_000, commercial=False, licence="research-only")
    child = facts(
        "small-8b", parent="big-15b", parameters=8_000_000_000, parent_parameters=15_000_000_000,
        distillation_tokens=94_000_000_000, parent_tokens=8_000_000_000_000, context=4096,
    )  # fmt: skip
    chat = facts("small-8b-chat", kind="instruct", parent="small-8b", licence=None, commercial=None, context=None)
    teacher = facts("nano-teacher", family="nano", parameters=3_000_000, weight_bytes=6_000_000)
    cut = facts(
        "nano-cut", family="nano", parent="nano-teacher", parameters=1_500_000, parent_parameters=3_000_000,
        weight_bytes=3_000_000,
    )  # fmt: skip
    kept = Share("big-15b", 0.926, 0.91, 0.942, 0.94, "published")
    nano_kept = Share("nano-teacher", 0.97, 0.93, 1.01, 0.98, "measured", paired=True)
    ran = {"backend": "hf", "dtype": "bfloat16", "hardware": CPU}
    faster = SpeedUp(CPU, "equal batch", 1.8, 1.7, 1.9, "nano-teacher", "measured", RUN, "hf, bf16, batch 1, 128 → 128")
    told = SpeedUp(H100, "published", 1.6, None, None, "big-15b", "published", None, "TensorRT-LLM, FP8")
    rows = (
        row(parent, {MMLU: (published(0.642),), GSM8K: (published(0.485, conflicts=1),)}),
        row(child, {MMLU: (published(0.645, retained=kept, selected_on=True),)}, speedups=(told,)),
        row(
            teacher,
            {CHOICE: (measured(0.71, rank=1, tied=2),), PERPLEXITY: (measured(12.345, 0.5, rank=1, tied=1),)},
            **ran,
        ),
        row(
            cut,
            {
                CHOICE: (measured(0.70, rank=1, tied=2, retained=nano_kept), published(0.69, notes=("by hand",))),
                PERPLEXITY: (measured(18.1, 0.7, rank=2, tied=1, n=200, notes=("200 of 1,000 documents",)),),
            },
            speedups=(faster,),
            **ran,
        ),
        row(chat, {GSM8K: (published(0.61, lower=None, upper=None, approximate=False, n=None),)}),
    )
    return Board(COLUMNS, rows, measured=4, published=6, runs=1, newest="2026-11-30T03:29:31Z")


def empty() -> Board:
    """Nothing at all."""
    return Board((), ())


def failures() -> Board:
    """One model, and only failures of it."""
    lost = Failure("nano-teacher", "nano_choice", "the device ran out of memory", RUN, "2026-11-30T03:29:31Z")
    return Board((), (row(facts("nano-teacher", family="nano"), {}),), failures=(lost,), runs=1)


def hostile() -> Board:
    """Names that would break out of a page or a layout, and values that are no numbers."""
    names = (HOSTILE, "\u202egnp.exe", "n" * 10_000, "line\nbreak\x00nul", "a|b,`c`\"d'")
    nothing = float("nan")
    values = (nothing, None, 0.5, float("inf"), -0.0)
    columns = tuple(TaskColumn(ColumnKey(name, "acc", "none", 0), "other", True, None) for name in names[:3])
    rows = tuple(
        row(
            facts(name, registered=False, family="unregistered", kind="unknown", licence=name, display=name, parameters=None),
            {column.key: (Figure("measured", value, value, value, run_id=name, notes=(name,)),) for column in columns},
            backend=name, dtype="float32", hardware=name,
        )
        for name, value in zip(names, values, strict=True)
    )  # fmt: skip
    lost = tuple(Failure(name, name, name, name, "") for name in names)
    return Board(columns, rows, failures=lost, measured=15, runs=5)


def wide(models: int = 200, tasks: int = 30, hardware: int = 8, seed: int = 7) -> Board:
    """As large a board as is asked for: every model on every hardware, a measured figure in every cell."""
    drawn = random.Random(seed)
    columns = tuple(
        TaskColumn(ColumnKey(f"task_{number:02}", "acc", "none", 5), f"group-{number // 12}", True, 0.25)
        for number in range(tasks)
    )
    rows: list[BoardRow] = []
    for at in range(models * hardware):
        number, machine = at % models, at // models
        parent = f"parent-{number // 8}" if number % 8 else None
        model = facts(
            f"model-{number:03}", kind=("base", "instruct", "reasoning")[number * 3 // models], parent=parent,
            parameters=1_000_000_000 + number * 37_000_000, parent_parameters=12_000_000_000 if parent else None,
        )  # fmt: skip
        cells = {column.key: (_drawn(drawn, parent),) for column in columns}
        run = {"backend": "hf", "dtype": "bfloat16", "hardware": f"NVIDIA GPU {machine}"}
        faster = SpeedUp(run["hardware"], "equal batch", 1.5, 1.4, 1.6, parent or "", "measured", RUN, "batch 1")
        rows.append(row(model, cells, speedups=(faster,) if parent else (), **run))
    rows.sort(key=lambda each: ("base", "instruct", "reasoning").index(each.facts.kind))
    return Board(columns, tuple(rows), measured=len(rows) * tasks, runs=len(rows), newest="2026-11-30T03:29:31Z")


def _drawn(drawn: random.Random, parent: str | None) -> Figure:
    value = drawn.uniform(0.3, 0.9)
    kept = Share(parent, value, value - 0.02, value + 0.02, value, "measured", paired=True) if parent else None
    return measured(value, rank=drawn.randint(1, 200), tied=drawn.randint(1, 20), retained=kept)
