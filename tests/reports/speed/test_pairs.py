"""Accuracy beside speed: whose score counts, what may be compared, and which pairs nothing beats."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from support.boards import GSM8K, MMLU, facts, measured, published, row
from support.speed_rows import FIGURES, figure, point

from reports.board.model import Board, Figure, TaskColumn
from reports.speed.pairs import DEFAULT, Setting, frontier, is_measured, pairs_at, panels_of, scores_of, settings_of
from reports.speed.section import SpeedRows
from zoo.arch.gpus import load_gpus
from zoo.registry.loader import load_registry

REGISTRY, A100 = load_registry(), load_gpus()["a100-80-sxm"]
COLUMNS = (TaskColumn(MMLU, "paper", True, 0.25), TaskColumn(GSM8K, "paper", True, 0.0))
AT = Setting(8, 512, 128)


def board(*rows) -> Board:
    return Board(COLUMNS, rows)


coordinate = st.integers(0, 6).map(float)


@given(st.lists(st.tuples(coordinate, coordinate), max_size=12), st.booleans())
def test_the_stair_is_exactly_what_no_other_beats(points, more):
    def beats(a, b):
        faster = a[0] >= b[0] if more else a[0] <= b[0]
        return faster and a[1] >= b[1] and a != b

    brute = sorted({p for p in points if not any(beats(q, p) for q in points)})
    assert frontier(points, more) == brute


def test_measured_counts_before_imported_before_published_in_whatever_order_rows_come():
    cells = [
        row(facts("m"), {MMLU: (published(0.9),)}),
        row(facts("m"), {MMLU: (replace(measured(0.8), source="imported"),)}, backend="x"),
        row(facts("m"), {MMLU: (measured(0.7, finished_at="2026-11-29T00:00:00Z"),)}, backend="hf"),
        row(facts("m"), {MMLU: (measured(0.6),)}, backend="hf", dtype="bfloat16"),
    ]
    for _ in range(6):
        random.shuffle(cells)
        assert scores_of(board(*cells))["m"][MMLU].value == 0.6
    assert scores_of(board(*[cell for cell in cells if not cell.backend]))["m"][MMLU].value == 0.9


def test_parts_of_tasks_and_what_is_no_number_are_no_scores():
    parts = row(facts("m"), {MMLU: (measured(0.6, n=200),), GSM8K: (measured(float("nan")), measured(None))})
    assert scores_of(board(parts)).get("m", {}) == {}


def test_a_timed_model_has_its_speed_and_the_others_their_limit():
    rows = SpeedRows(points=[point()], figures=FIGURES)
    told = board(
        row(facts("minitron-4b"), {MMLU: (measured(0.58),)}),
        row(facts("minitron-8b"), {MMLU: (published(0.63),)}),
        row(facts("unheard-of"), {MMLU: (measured(0.5),)}),
    )
    timed, limit = pairs_at(AT, rows, told, REGISTRY, A100)
    assert (timed.facts.id, timed.source, timed.rate.value, timed.rate.lower) == (
        "minitron-4b",
        "measured",
        812.5,
        731.25,
    )
    assert timed.energy is not None
    assert timed.energy.value == 0.35
    assert timed.way == "hf, bfloat16, random weights"
    assert (limit.facts.id, limit.source, limit.way) == ("minitron-8b", "limit", "roofline")
    assert is_measured(timed, MMLU)
    assert not is_measured(limit, MMLU)
    assert not is_measured(replace(timed, scores={MMLU: published(0.6)}), MMLU)


def test_what_is_not_valid_or_has_no_rate_is_no_pair():
    bad = [
        point(valid=False), point(status="failed"), point(run_id="without figures"), point(batch=4),
        point(batch=None, rate=2.0), point(task="zero"),
    ]  # fmt: skip
    zero = figure("output_rate", 0.0, task="zero")
    assert pairs_at(AT, SpeedRows(points=bad, figures=[*FIGURES, zero]), board(), REGISTRY, None) == ()


def test_settings_are_those_with_most_models_and_the_default_where_nothing_was_timed():
    many = [point(model=name, batch=8) for name in "abc"] + [point(model=name, batch=32) for name in "ab"]
    rows = SpeedRows(points=[*many, point(batch=1), point(batch=64, valid=False)])
    assert settings_of(rows) == (AT, Setting(32, 512, 128))
    assert settings_of(SpeedRows()) == (DEFAULT,)
    assert settings_of(SpeedRows(points=[point(valid=False)])) == (DEFAULT,)


def test_kinds_of_models_never_share_a_panel_and_one_model_is_no_picture():
    models = [facts(f"minitron-{size}") for size in ("4b", "8b")]
    chat = facts("nemotron-mini-4b-instruct", kind="instruct")
    rows = [row(model, {MMLU: (published(0.6),)}) for model in models]
    pairs = pairs_at(DEFAULT, SpeedRows(), board(*rows, row(chat, {MMLU: (published(0.5),)})), REGISTRY, A100)
    assert panels_of(pairs, board(*rows), 6) == ((MMLU, "base"),)


def test_panels_with_measured_pairs_come_first():
    score: Figure = measured(0.5)
    models = [row(facts(name), {GSM8K: (score,)}) for name in ("a", "b")]
    limits = [row(facts(f"minitron-{size}"), {MMLU: (published(0.6),)}) for size in ("4b", "8b")]
    rows = SpeedRows(
        points=[point(model=name, run_id=name) for name in "ab"],
        figures=[figure("output_rate", 9.0, run_id=n) for n in "ab"],
    )
    whole = board(*limits, *models)
    assert [key for key, _ in panels_of(pairs_at(AT, rows, whole, REGISTRY, A100), whole, 6)] == [GSM8K, MMLU]
