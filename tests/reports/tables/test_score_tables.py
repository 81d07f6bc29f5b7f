"""The tables that the terminal and the pages have in common: words, numbers, and the numbers behind them."""

import io
from contextlib import redirect_stdout

from support.records import record

from harness.records.derived import estimate
from harness.records.record import MetricScore
from minizoo.display.tables import show_table
from minizoo.output import Output
from reports.tables.scores import WHAT_THE_INTERVAL_IS, beside_table, published_table, score_table

ROW = {
    "task": "hellaswag", "metric": "acc_norm", "filter": "none", "shots": 10, "n": 10042, "measured": 0.8031,
    "published": 0.807, "difference": -0.0039, "difference_lower": -0.012, "difference_upper": 0.004, "margin": 0.01,
    "margin_basis": "one point", "verdict": "not resolved", "reason": None, "needs_n": 20000, "origin": "paper",
}  # fmt: skip
SCORE = {
    "task": "winogrande", "value": 72.1, "unit": "percent", "scale": "raw", "metric": "acc", "filter": None, "shots": 5,
    "revision": None, "source_id": "paper", "where": "table 7", "used_for_selection": True, "trained_on": False,
}  # fmt: skip


def terminal(table):
    with redirect_stdout(io.StringIO()) as out:
        show_table(Output(), table)
    return out.getvalue().splitlines()


def test_a_runs_scores_have_their_errors_and_the_numbers_behind_them():
    made = record()
    table = score_table([made], "title")
    error = estimate(made.scores[0])
    assert table.rows == (
        (
            "winogrande",
            "acc",
            "none",
            "5",
            "0.5000",
            f"{error.stderr:.4f}",
            f"{error.lower:.4f} – {error.upper:.4f}",
            "0.5000",
            "2",
        ),
    )
    assert list(table.keys[0]) == ["winogrande", "acc", "none", 5, 0.5, error.stderr, error.lower, 0.5, 2]
    assert terminal(table)[0] == "title"


def test_a_group_stands_for_its_members():
    table = score_table([record("leaf"), record("group", members=("leaf",))])
    assert [row[0] for row in table.rows] == ["group"]
    assert "1 tasks that a group stands for" in table.notes[0]


def test_what_is_not_known_is_a_dash_and_no_key():
    score = MetricScore(metric="acc", filter="none", value=float("nan"), n=3, higher_is_better=None, chance=None)
    table = score_table([record(scores=(score,), shots=None)])
    assert table.rows[0][3:8] == ("–", "–", "–", "–", "–")
    assert list(table.keys[0])[3:8] == [None] * 5


def test_draws_of_examples_have_a_column_only_where_there_are_some():
    drawn = record().scores[0].model_copy(update={"draws": (0.5, 0.6)})
    table = score_table([record(scores=(drawn,)), record("other")])
    assert table.headings[-1].name == "few-shot sd"
    assert [row[-1] for row in table.rows] == ["0.0707 of 2", "–"]


def test_measured_stands_beside_published_with_its_verdict():
    table = beside_table([ROW, ROW | {"task": "mmlu", "margin_basis": "5 draws", "filter": "strict"}])
    assert table.rows[0] == (
        "hellaswag", "acc_norm", "10", "10,042", "0.8031", "0.8070", "-0.0039", "-0.0120 – +0.0040", "± 0.0100",
        "not resolved (needs n = 20,000)", "paper",
    )  # fmt: skip
    assert table.rows[1][1] == "acc_norm, strict"
    assert table.notes == ("margin by 5 draws: mmlu.", WHAT_THE_INTERVAL_IS)
    assert list(table.keys[0])[6:9] == [-0.0039, -0.012, 0.01]


def test_what_cannot_be_compared_has_no_difference():
    table = beside_table([ROW | {"verdict": "not comparable", "reason": "other shots", "needs_n": None}])
    assert table.rows[0][6:10] == ("–", "–", "–", "not comparable (other shots)")
    assert list(table.keys[0])[6:9] == [None, None, None]


def test_published_scores_have_their_source_and_tell_what_was_not_blind():
    table = published_table([SCORE, SCORE | {"used_for_selection": False, "shots": None, "metric": None}])
    assert table.rows[0] == ("winogrande †", "72.1", "percent", "acc", "5", "–", "paper, table 7")
    assert table.rows[1][3:5] == ("unknown", "unknown")
    assert "not blind" in table.notes[0]
    assert published_table([SCORE | {"used_for_selection": False}]).notes == ()


def test_every_table_has_as_many_keys_as_cells():
    for table in (score_table([record()]), beside_table([ROW]), published_table([SCORE])):
        assert table.keys is not None
        assert (
            [len(row) for row in table.rows]
            == [len(keys) for keys in table.keys]
            == [len(table.headings)] * len(table.rows)
        )
