"""Published scores: one a model and column, beside measured ones where the protocol is ours, intervals where n is known."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.board_registry import WINOGRANDE

from harness.stats.intervals import wilson_interval
from reports.board.model import ColumnKey
from reports.board.published import is_share_of, published_cells
from zoo.registry.loader import load_registry

PRINTED = ColumnKey("winogrande", "acc", "", 5)
"""Where nobody measured it, nobody says which filter."""


@pytest.fixture(scope="module")
def cells(registry):
    return published_cells(registry)


def test_one_figure_a_model_and_column_and_the_others_counted(cells):
    cell = cells["child"][PRINTED]
    assert (cell.figure.printed, cell.figure.origin) == ("74.12", "card")  # more digits than 75.0, and no copy
    assert [one.score.printed for one in cell.ranked] == [74.12, 75.0, 74.123]
    assert cell.figure.conflicts == 1  # the copy prints the same figure at the coarser precision


def test_the_same_figure_with_other_shots_is_named(cells):
    assert "printed as 5-shot by paper" in cells["child"][ColumnKey("winogrande", "acc", "", 0)].figure.notes


def test_a_measured_column_takes_the_published_score_in(registry):
    cells = published_cells(registry, {WINOGRANDE})
    assert cells["parent"][WINOGRANDE].figure.value == 0.8
    assert PRINTED not in cells["parent"]


def test_words_of_the_paper_become_ours_and_its_filter_the_suite_s(cells):
    figure = cells["parent"][ColumnKey("gsm8k", "exact_match", "strict-match", 5)].figure
    assert figure.notes == ("filter not stated by the source",)


def test_a_tuned_model_stands_in_the_chat_suite_s_column_and_a_base_model_does_not(cells):
    chat = ColumnKey("gsm8k", "exact_match", "flexible-extract, chat", 0)
    plain = chat._replace(filter="flexible-extract")
    assert chat in cells["tuned"]
    assert plain in cells["child"]
    assert chat not in cells["child"]
    assert cells["tuned"][chat].figure.notes == ("metric, filter and chat template not stated by the source",)


def test_shots_that_no_suite_runs_keep_the_benchmark_s_own_name(cells):
    assert ColumnKey("mbpp_0shot", "pass@1", "", 0) in cells["child"]
    assert ColumnKey("mbpp", "", "", None) in cells["child"]


def test_a_score_with_chance_taken_off_is_in_a_column_of_its_own(cells):
    assert ColumnKey("gpqa", "acc_norm, chance-normalised", "", 0) in cells["child"]


def test_a_share_of_known_size_has_wilson_s_interval_marked_approximate(cells):
    figure = cells["parent"][PRINTED].figure
    assert (figure.lower, figure.upper) == wilson_interval(0.8, 1267)
    assert (figure.n, figure.approximate, figure.source, figure.run_id) == (1267, True, "published", None)


@pytest.mark.parametrize(
    ("model", "key"),
    [
        ("parent", ColumnKey("truthfulqa_mc2", "acc", "", 0)),  # a document scores anything between 0 and 1
        ("child", ColumnKey("xlsum_en", "rougeL", "", 3)),  # of a part
        ("child", ColumnKey("gpqa", "acc_norm, chance-normalised", "", 0)),
        ("child", ColumnKey("openbookqa", "", "", None)),  # of nobody knows how many
    ],
)
def test_no_interval_where_it_is_no_share_of_a_known_number(cells, model, key):
    figure = cells[model][key].figure
    assert (figure.lower, figure.upper, figure.n, figure.approximate) == (None, None, None, False)


def test_a_figure_that_no_count_of_right_answers_gives_has_none_either(cells):
    key = ColumnKey("mbpp_0shot", "pass@1", "", 0)
    possible, impossible = cells["parent"][key].figure, cells["child"][key].figure
    assert possible.approximate
    assert possible.lower is not None
    assert impossible.lower is None
    assert "43.77 is no share of 500 documents, each right or wrong" in impossible.notes


def test_a_source_that_contradicts_itself_is_noted(cells):
    notes = cells["child"][ColumnKey("xlsum_en", "rougeL", "", 3)].figure.notes
    assert "0-shot by another part of paper" in notes
    assert "of 20 % of the English set" in notes


def test_a_task_that_chose_the_shape_is_marked(cells):
    assert cells["child"][PRINTED].figure.selected_on
    assert not cells["parent"][PRINTED].figure.selected_on
    assert not cells["child"][ColumnKey("gsm8k", "exact_match", "strict-match", 5)].figure.selected_on


@given(st.integers(1, 3000), st.data())
def test_any_count_of_right_answers_passes_whatever_the_printed_digits(n, data):
    right, digits = data.draw(st.integers(0, n)), data.draw(st.integers(1, 4))
    printed = round(Decimal(100 * right) / n, digits)
    assert is_share_of(float(printed) / 100, 0.5 * 10**-digits / 100, n)


@given(st.integers(1, 400), st.integers(0, 10_000))
def test_what_passes_is_some_count(n, printed):
    value, rounding = printed / 10_000, 0.00005
    some = any(abs(right / n - value) <= rounding + 1e-12 for right in range(n + 1))
    assert is_share_of(value, rounding, n) == some


def test_every_score_of_the_shipped_registry_is_in_one_cell():
    registry = load_registry()
    cells = published_cells(registry)
    for name, model in registry.models.items():
        placed = [one.score.printed for cell in cells.get(name, {}).values() for one in cell.ranked]
        assert sorted(placed) == sorted(score.value for score in model.published_scores)


def test_the_blog_s_mbpp_was_several_answers_a_problem():
    figure = published_cells(load_registry())["mistral-nemo-minitron-8b"][
        ColumnKey("mbpp_0shot", "pass@1", "", 0)
    ].figure
    assert figure.lower is None
