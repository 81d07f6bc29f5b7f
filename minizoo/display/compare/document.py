"""A comparison as one JSON document."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.compare.comparison import Comparison
    from harness.compare.factors import Level, Split
    from harness.compare.items import Side
    from harness.compare.sides.speed_ratios import SpeedRatio
    from harness.compare.task import TaskComparison


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """Both sides and every row, with all that the tables show and more."""
    return {
        "a": side_document(comparison.a),
        "b": side_document(comparison.b),
        "rows": [row_document(row) for row in comparison.rows],
        "refused_tasks": list(comparison.refused_tasks),
        "only_a": list(comparison.only_a),
        "only_b": list(comparison.only_b),
        "further_metrics": comparison.further,
    }


def side_document(side: Side) -> dict[str, Any]:
    """Who was compared, and by which runs."""
    return {
        "word": side.word,
        "kind": side.kind,
        "model": side.name,
        "where": side.where,
        "run_ids": list(side.run_ids),
        "conformance": side.standing,
        "doubt": side.doubt or None,
        "notes": list(side.notes),
    }


def row_document(row: TaskComparison) -> dict[str, Any]:
    """A row; what was not computed is null."""
    numbers = asdict(row.tested) if row.tested else {}
    return plain({
        **row.key._asdict(),
        **numbers,
        "n": row.n, "a_n": row.a_n, "b_n": row.b_n,
        "a_value": row.a_value, "b_value": row.b_value, "difference": row.difference,
        "higher_is_better": row.higher_is_better, "chance": row.chance,
        "p_holm": row.p_holm, "verdict": row.verdict, "refused": row.refused,
        "retained": asdict(row.retained) if row.retained else None,
        "gold": asdict(row.gold) if row.gold else None,
        "unpaired": asdict(row.unpaired) if row.unpaired else None,
        "notes": list(row.notes),
    })  # fmt: skip


def flips_document(comparison: Comparison, most: int) -> list[dict[str, Any]]:
    """The documents that changed, a row each, texts whole."""
    from harness.compare.flips import flips_of

    return [
        plain({"metric": row.key.metric, "filter": row.key.filter, **asdict(flip)})
        for row in comparison.compared
        for flip in flips_of(row, most)
    ]


def split_document(split: Split) -> dict[str, Any]:
    """Every level, and what could not be split."""
    return {"by": split.by, "levels": [_level(level) for level in split.levels], "refused": list(split.refused)}


def speed_document(ratios: Sequence[SpeedRatio]) -> list[dict[str, Any]]:
    """A row a ratio."""
    return [plain(asdict(ratio)) for ratio in ratios]


def plain(value: Any) -> Any:
    """The value with numbers that JSON has no word for as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def _level(level: Level) -> dict[str, Any]:
    gold = asdict(level.gold) if level.gold else None
    rest = {"name": level.name, "p_holm": level.p_holm, "verdict": level.verdict, "gold": gold}
    return plain({**level.key._asdict(), **asdict(level.tested), **rest})
