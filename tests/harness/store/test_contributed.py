"""Rows that somebody gave, in a real database: whose they are, what is derived of them, and what they must not touch."""

import duckdb
import pytest
from support.contributed import (
    GIVEN,
    SOMEBODY,
    changed,
    outcome_on_gpu,
    setting,
    speed_record,
    subject,
    trials_of,
)
from support.records import record
from support.speed_fakes import point

from harness.records.files import new_run_id, write_record
from harness.records.record import Work
from harness.records.speed_record import Reason, Validity
from harness.speed.compare.pairing import Pairing
from harness.speed.compare.ratios import comparisons_of
from harness.stats import constants
from harness.store.check import check
from harness.store.connection import database_path
from harness.store.measured_work import measured_work
from harness.store.query import query


@pytest.fixture(scope="module")
def measured_point():
    return outcome_on_gpu()


def write(results, made, outcome):
    write_record(results, made, tables={"trials": trials_of(outcome)})


def columns(results, view):
    return [row["column_name"] for row in query(results, f"DESCRIBE {view}")]


def test_a_row_says_where_it_is_from_and_who_gave_it(tmp_path, measured_point):
    nobody = SOMEBODY.model_copy(update={"by": None})
    for origin in ({}, GIVEN, {**GIVEN, "contribution": nobody}):
        write(tmp_path, speed_record(measured_point, **origin), measured_point)
    told = [("contributed", "Ada"), ("contributed", None), ("measured", None)]
    for view in ("speed", "runs"):
        rows = query(tmp_path, f"SELECT DISTINCT source, contributed_by FROM {view} ORDER BY ALL NULLS LAST")
        assert [tuple(row.values()) for row in rows] == told
    assert columns(tmp_path, "speed")[-1] == "contributed_by"
    assert columns(tmp_path, "speed_ratios")[-2:] == ["source", "contributed_by"]
    assert columns(tmp_path, "runs")[-3:] == ["source", "contributed_by", "unverified"]


def test_figures_and_rooflines_of_a_given_row_are_derived_from_its_trials_whatever_it_states(tmp_path, measured_point):
    facts = measured_point.facts
    forged = tuple(figure.model_copy(update={"value": 1e-9, "lower": 1e-9}) for figure in facts.statistics)
    near = tuple(step.model_copy(update={"percent": 99.9}) for step in facts.achieved)
    for changes, origin in (({"statistics": forged, "achieved": near}, GIVEN), ({}, {})):
        write(tmp_path, changed(measured_point, **changes).model_copy(update=origin), measured_point)
    shown = "SELECT metric, statistic, value, lower, upper, n, rule FROM speed WHERE source = ? ORDER BY ALL"
    assert query(tmp_path, shown, ["contributed"]) == query(tmp_path, shown, ["measured"])
    steps = (
        "SELECT step, against, percent, roofline_s, measured_s, bytes, flops, l.source FROM speed_limits l "
        "JOIN records r USING (run_id, task) WHERE r.source = ? ORDER BY ALL"
    )
    own = query(tmp_path, steps, ["measured"])
    assert query(tmp_path, steps, ["contributed"]) == own
    assert {step["step"] for step in own} == {"decode", "prefill"}


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": subject(kind="folder")},
        {"setting": setting(gpu="NVIDIA B200")},
        {"setting": setting(device="cpu", gpu=None)},
    ],
)
def test_a_given_row_without_a_data_sheet_here_has_no_roofline(tmp_path, measured_point, changes):
    write(tmp_path, speed_record(measured_point, **GIVEN, **changes), measured_point)
    assert query(tmp_path, "SELECT * FROM speed_limits") == []
    assert query(tmp_path, "SELECT count(*) AS n FROM speed")[0]["n"] > 0


def test_a_given_row_without_its_trials_is_shown_as_it_was_recorded_and_by_no_rule_of_now(tmp_path, measured_point):
    write_record(tmp_path, speed_record(measured_point, **GIVEN))
    rules = query(tmp_path, "SELECT DISTINCT rule FROM speed")
    assert [row["rule"] for row in rules] == ["record/1"]
    assert query(tmp_path, "SELECT * FROM speed_limits") == []


@pytest.fixture(scope="module")
def pair():
    """Two points, the second of twice the first's time, and the first's comparisons with the run of that id."""
    ours, theirs, other = outcome_on_gpu(), outcome_on_gpu(step=0.01, prefill=0.04), new_run_id()
    one = point(shape=(128, 128))
    found = comparisons_of(ours, theirs, Pairing(one, one, ("equal batch",), None), ("llama-3.1-8b", other), (), 0)
    return ours, theirs, other, tuple(compared.recorded for compared in found)


def write_pair(results, pair, forged=None, other_side=None, both=True, origin=GIVEN):
    ours, theirs, other, comparisons = pair
    stated = tuple(one.model_copy(update=forged or {}) for one in comparisons)
    write(results, changed(ours, comparisons=stated).model_copy(update=origin), ours)
    if both:
        against = changed(theirs, **(other_side or {})).model_copy(update={"run_id": other, **origin})
        write(results, against, theirs)
    return query(results, "SELECT metric, ratio, lower, p_value, valid, rule FROM speed_ratios ORDER BY metric")


FORGED = {"ratio": 9.0, "lower": 8.9, "upper": 9.1, "p_value": 0.0}


def test_a_given_ratio_is_derived_from_the_trials_of_both_sides(tmp_path, pair):
    rows = write_pair(tmp_path, pair, forged=FORGED)
    assert [row["metric"] for row in rows] == ["e2e", "output_rate", "tpot", "ttft"]
    for row in rows:
        assert row["ratio"] == pytest.approx(2.0)
        assert (row["valid"], row["rule"]) == (True, constants.RULE_VERSION)
        assert row["lower"] == pytest.approx(2.0)


def test_a_given_ratio_without_the_other_side_is_not_valid_and_its_interval_is_not_believed(tmp_path, pair):
    rows = write_pair(tmp_path, pair, forged=FORGED, both=False)
    assert {(row["lower"], row["p_value"], row["valid"], row["rule"]) for row in rows} == {(None, None, False, None)}


@pytest.mark.parametrize("origin", [GIVEN, {}])
def test_a_side_that_is_not_valid_takes_the_ratio_with_it(tmp_path, pair, origin):
    doubted = Validity(valid=False, reasons=(Reason(code="above-roofline", text="too fast"),))
    rows = write_pair(tmp_path, pair, other_side={"validity": doubted}, origin=origin)
    assert {row["valid"] for row in rows} == {False}


def test_an_own_ratio_waits_for_the_other_side_as_it_was_judged(tmp_path, pair):
    assert {row["valid"] for row in write_pair(tmp_path, pair, both=False, origin={})} == {True}


def test_the_pace_of_runs_to_come_is_of_own_measurements_alone(tmp_path):
    work = Work(asked_tokens=80, computed_tokens=80, scoring_s=2.0)
    own = record(work=work)
    for made in (own, record(work=work, **GIVEN)):
        write_record(tmp_path, made)
    assert [found.run_id for found in measured_work(tmp_path)] == [own.run_id]


def test_given_rows_are_clean_before_and_after_a_rebuild(tmp_path, pair, minizoo):
    write_pair(tmp_path, pair)
    assert check(tmp_path).problems == ()
    shown = {view: query(tmp_path, f"SELECT * FROM {view} ORDER BY ALL") for view in ("speed", "speed_ratios", "runs")}
    assert minizoo("db", "rebuild", "--results", tmp_path, "--json").json()["records"] == 2
    for view, before in shown.items():
        assert query(tmp_path, f"SELECT * FROM {view} ORDER BY ALL") == before
    assert minizoo("db", "check", "--results", tmp_path).code == 0


def test_a_database_of_before_contributions_is_made_anew_by_itself(tmp_path, measured_point):
    write(tmp_path, speed_record(measured_point, **GIVEN), measured_point)
    query(tmp_path, "SELECT 1")
    with duckdb.connect(str(database_path(tmp_path))) as connection:
        connection.execute("UPDATE meta SET schema_version = 6; DROP VIEW scoring_suites; DROP VIEW scoring")
        connection.execute("DROP TABLE beside_rows")
    assert query(tmp_path, "SELECT DISTINCT contributed_by FROM speed") == [{"contributed_by": "Ada"}]
    assert query(tmp_path, "SELECT * FROM scoring") == []
