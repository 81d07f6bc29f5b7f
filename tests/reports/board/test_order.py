"""Order of rows and columns, and ranks over the whole board: the same in whatever order the store is read."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.boards import facts, measured, published, row

from reports.board.columns import ColumnFacts, columns_of
from reports.board.model import ColumnKey, TaskColumn
from reports.board.order import in_place, ranked
from zoo.registry.loader import load_registry

KEY = ColumnKey("winogrande", "acc", "none", 5)
LOSS = ColumnKey("text", "perplexity", "none", 0)
COLUMNS = (TaskColumn(KEY, "paper", True, 0.5), TaskColumn(LOSS, "other", False, None))
WHOLE = measured(0.9)
KINDS = ["base", "instruct", "reasoning", "unknown"]


def one(name, value, half=0.01, kind="base", **changes):
    return row(facts(name, kind=kind), {KEY: (measured(value, half, **changes),)})


def names(rows):
    return [r.facts.id for r in rows]


def test_kinds_stand_apart_and_inside_them_the_best_lower_bound_comes_first():
    rows = [
        one("wide", 0.9, 0.3), one("sure", 0.8), one("chat", 0.95, kind="instruct"), one("odd", 0.99, kind="unknown"),
        row(facts("none"), {}), one("bare", None), one("thinks", 0.7, kind="reasoning"),
    ]  # fmt: skip
    assert names(in_place(rows, COLUMNS)) == ["sure", "wide", "bare", "none", "chat", "thinks", "odd"]


def test_a_figure_without_an_interval_comes_after_those_with_one():
    bare = row(facts("bare"), {KEY: (replace(published(0.99), lower=None, upper=None),)})
    assert names(in_place([bare, one("sure", 0.5)], COLUMNS)) == ["sure", "bare"]


def test_where_less_is_better_the_best_upper_bound_comes_first():
    rows = [row(facts(n), {LOSS: (measured(v, h),)}) for n, v, h in (("a", 9.0, 0.1), ("b", 8.0, 3.0), ("c", 8.5, 0.1))]
    assert names(in_place(rows, COLUMNS[1:])) == ["c", "a", "b"]


def test_kinds_are_never_ranked_together_and_what_is_of_unknown_kind_not_at_all():
    rows = ranked([one(kind, 0.5 + place / 10, kind=kind) for place, kind in enumerate(KINDS)], COLUMNS)
    assert [r.figures[KEY][0].rank for r in rows] == [1, 1, 1, None]


@pytest.mark.parametrize(
    "figure",
    [published(0.9), replace(WHOLE, source="imported"), replace(WHOLE, source="contributed"), replace(WHOLE, n=10),
     replace(WHOLE, lower=None), measured(None), replace(WHOLE, upper=float("nan"))],
    ids=["published", "imported", "contributed", "part", "no interval", "no value", "no number"],
)  # fmt: skip
def test_only_whole_measured_figures_have_a_rank(figure):
    rows = ranked([row(facts("other"), {KEY: (figure,)}), one("mine", 0.2)], COLUMNS)
    assert [r.figures[KEY][0].rank for r in rows] == [None, 1]


@st.composite
def boards(draw):
    count = draw(st.integers(0, 8))
    return [
        one(f"m{draw(st.integers(0, 4))}", draw(st.integers(0, 10)) / 10, draw(st.integers(0, 3)) / 10,
            draw(st.sampled_from(KINDS)), n=draw(st.sampled_from([1000, 10])), run_id=f"run {index}")
        for index in range(count)
    ]  # fmt: skip


@given(boards(), st.randoms())
def test_neither_order_nor_ranks_depend_on_the_order_in_which_rows_come(rows, chance):
    rows = [replace(r, hardware=f"gpu {index}") for index, r in enumerate(rows)]
    shuffled = rows.copy()
    chance.shuffle(shuffled)
    assert ranked(in_place(shuffled, COLUMNS), COLUMNS) == ranked(in_place(rows, COLUMNS), COLUMNS)


@given(boards(), st.data())
def test_a_figure_s_class_is_the_same_when_worse_classes_leave(rows, data):
    """What is below a class has no say in it, where every row is another model's."""
    before = ranked([replace(r, facts=facts(f"m{i}", kind=r.facts.kind)) for i, r in enumerate(rows)], COLUMNS)
    worst = data.draw(st.integers(1, 8))
    kept = [r for r in before if (r.figures[KEY][0].rank or 99) <= worst]
    again = ranked([replace(r, figures={KEY: (replace(r.figures[KEY][0], rank=None, tied=0),)}) for r in kept], COLUMNS)
    assert again == kept


def test_columns_come_by_suite_in_its_order_then_by_name():
    keys = [ColumnKey("zebra", "acc", "none", 0), ColumnKey("gsm8k", "exact_match", "flexible-extract, chat", 0),
            ColumnKey("mmlu", "acc", "none", 5), ColumnKey("nano_words", "acc", "none", 4), KEY,
            ColumnKey("mmlu", "acc", "none", 0), ColumnKey("gsm8k", "exact_match", "strict-match", 5)]  # fmt: skip
    made = columns_of({key: ColumnFacts(True) for key in keys}, load_registry())
    assert [(column.group, column.key.task, column.key.shots) for column in made] == [
        ("paper", "winogrande", 5), ("paper", "mmlu", 5), ("paper", "gsm8k", 5), ("nano", "nano_words", 4),
        ("instruct", "gsm8k", 0), ("other", "mmlu", 0), ("other", "zebra", 0),
    ]  # fmt: skip


def test_elsewhere_the_task_with_most_figures_comes_first_with_all_its_columns():
    counted = {("rare", 0): 1, ("often", 0): 2, ("often", 5): 9, ("some", 0): 5, ("some", 1): 5}
    found = {
        ColumnKey(task, "acc", "none", shots): ColumnFacts(True, figures=n) for (task, shots), n in counted.items()
    }
    made = columns_of(found, load_registry())
    assert [(column.key.task, column.key.shots) for column in made] == [
        ("often", 5), ("often", 0), ("some", 0), ("some", 1), ("rare", 0),
    ]  # fmt: skip


def test_a_page_of_other_tasks_has_twelve_columns_at_most():
    keys = [ColumnKey(f"task {index:02}", "acc", "none", 0) for index in range(30)]
    made = columns_of({key: ColumnFacts(True) for key in keys}, load_registry())
    groups = [column.group for column in made]
    assert {group: groups.count(group) for group in dict.fromkeys(groups)} == {"other": 12, "other-2": 12, "other-3": 6}


def test_chance_is_the_measured_one_else_the_benchmark_s_else_the_task_s():
    stated = {KEY: ColumnFacts(True, 0.4), KEY._replace(shots=0): ColumnFacts(True),
              ColumnKey("nano_sums", "exact_match", "none", 0): ColumnFacts(True),
              ColumnKey("gpqa", "acc_norm, chance-normalised", "", 0): ColumnFacts(True),
              ColumnKey("odd", "acc", "none", 0): ColumnFacts(True)}  # fmt: skip
    made = {column.key.task + str(column.key.shots): column.chance for column in columns_of(stated, load_registry())}
    assert made == {"winogrande5": 0.4, "winogrande0": 0.5, "nano_sums0": 0.0, "gpqa0": 0.0, "odd0": None}
