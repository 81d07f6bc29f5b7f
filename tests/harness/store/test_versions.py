"""Old records open and report as they did, a better rule reaches them, and newer ones are refused by their version's name."""

import datetime
import json
import re
import shutil
from collections import Counter
from html import unescape
from statistics import NormalDist

import pytest
from support.page_cells import table_cells
from support.paths import ROOT
from support.records import record

from harness.records.derived import described
from harness.records.files import read_record, write_record
from harness.stats import constants
from harness.store.catch_up import catch_up, rebuild
from harness.store.check import check
from harness.store.query import query
from reports.cells import ABSENT
from zoo.errors import NewerResults

OLD = ROOT / "tests" / "fixtures" / "results-086f72e"
VIEWS = json.loads((OLD / "views.json").read_text("utf-8"))
Z_OF_REPRODUCTION = 1e-7
"""The old view typed z with six decimals: its bounds differ in the eighth digit."""


def plain(value):
    return str(value) if isinstance(value, datetime.datetime) else value


@pytest.mark.parametrize("view", [view for view, rows in VIEWS.items() if rows and isinstance(rows, list)])
def test_every_view_shows_what_the_old_code_showed(unpacked, view):
    expected = VIEWS[view]
    if view.startswith("metric_"):
        rows = query(unpacked, f"SELECT task, count(*) AS n, sum(value) AS total FROM {view} GROUP BY ALL ORDER BY ALL")
        assert [[*row.values()][:2] for row in rows] == [row[:2] for row in expected]
        assert [row["total"] for row in rows] == pytest.approx([row[2] for row in expected], rel=1e-12)
        return
    columns = ", ".join(f'"{name}"' for name in expected[0])
    measured = "WHERE source <> 'published'" if view == "scores" else ""
    rows = query(unpacked, f"SELECT {columns} FROM {view} {measured} ORDER BY ALL")
    tolerance = Z_OF_REPRODUCTION if view == "reproduction" else 1e-9
    assert len(rows) == len(expected)
    for row, old in zip(rows, expected, strict=True):
        numbers = [name for name, value in old.items() if isinstance(value, float)]
        assert {name: plain(row[name]) for name in row if name not in numbers} == {
            name: old[name] for name in old if name not in numbers
        }
        assert [row[name] for name in numbers] == pytest.approx(
            [old[name] for name in numbers], rel=tolerance, abs=tolerance
        )


@pytest.mark.parametrize("view", [view for view, rows in VIEWS.items() if isinstance(rows, int)])
def test_every_view_of_raw_rows_has_as_many(unpacked, view):
    assert query(unpacked, f"SELECT count(*) AS n FROM {view}") == [{"n": VIEWS[view]}]


def test_what_the_old_samples_and_trials_tell_is_derived_by_the_present_rule(unpacked):
    rules = "SELECT rule, count(*) AS n FROM {} GROUP BY ALL ORDER BY ALL"
    now, frozen = query(unpacked, rules.format("metrics"))
    assert (now, frozen) == ({"rule": constants.RULE_VERSION, "n": 78}, {"rule": "record/1", "n": 9})
    kept = query(unpacked, "SELECT DISTINCT task FROM metrics WHERE rule = 'record/1' ORDER BY task")
    assert [row["task"] for row in kept] == ["hellaswag", "mmlu_social_sciences"]  # clusters, and a group of strata
    assert {row["rule"] for row in query(unpacked, rules.format("speed_statistics"))} == {constants.RULE_VERSION}
    assert {row["rule"] for row in query(unpacked, rules.format("speed_comparisons"))} == {constants.RULE_VERSION}


def test_the_old_results_are_clean_before_and_after_a_rebuild(results, minizoo):
    assert check(results).problems == ()
    before = query(results, "SELECT * FROM scores ORDER BY ALL")
    assert minizoo("db", "rebuild", "--results", results, "--json").json()["records"] == 79
    assert query(results, "SELECT * FROM scores ORDER BY ALL") == before
    assert minizoo("db", "check", "--results", results).code == 0


def test_the_report_of_the_old_results_shows_the_same_figures(results, minizoo, tmp_path):
    assert minizoo("report", "--results", results, "--out", tmp_path / "site").code == 0
    pages = [path.read_text("utf-8") for path in (tmp_path / "site" / "runs").glob("*-*-*.html")]
    assert len(pages) == 19
    figures = [table[1:] for page in pages for table in tables(page) if table[0][:2] == ["Task", "Metric"]]
    shown = Counter((row[0], row[1], *row[2:6], row[6].partition(" of ")[0]) for table in figures for row in table)
    old = [row for row in json.loads((OLD / "page.json").read_text("utf-8")) if row[-1] in ("measured", "imported")]
    scored = Counter(
        (row[2], f"{row[3]} {row[4]}".strip(), row[5] or ABSENT, row[6], row[7], row[8] or ABSENT, row[9])
        for row in old
        if not row[10].startswith("failed")
    )
    assert scored.total() > 60
    assert shown == scored
    told = unescape(" ".join(pages))
    failed = [row for row in old if row[10].startswith("failed")]
    assert len(failed) >= 1
    assert all(re.sub(r"^failed (limit \d)?", "", row[10]) in told for row in failed)


def tables(page):
    """Each table of a page as its rows."""
    return [table_cells(f"<table{part}") for part in page.split("<table")[1:]]


def width(results):
    rows = query(
        results, "SELECT task, metric, filter, rule, upper - lower AS width FROM metrics WHERE lower IS NOT NULL"
    )
    return {(row["task"], row["metric"], row["filter"]): (row["rule"], row["width"]) for row in rows}


def test_a_changed_rule_reaches_old_records(results, monkeypatch):
    before = width(results)
    monkeypatch.setattr(constants, "CONFIDENCE", 0.99)
    monkeypatch.setattr(constants, "Z", NormalDist().inv_cdf(0.995))
    monkeypatch.setattr(constants, "RULE_VERSION", "99 %")
    rebuild(results)
    after = width(results)
    assert before.keys() == after.keys()
    for score, (rule, narrow) in before.items():
        now, wide = after[score]
        assert now == ("record/1" if rule == "record/1" else "99 %")
        assert wide == narrow if rule == "record/1" else wide > narrow
    (ratio,) = query(results, "SELECT min(upper - lower) AS width FROM speed_ratios WHERE rule = '99 %'")
    assert ratio["width"] > 0


def test_a_database_of_another_rule_is_made_anew_by_itself(tmp_path, monkeypatch):
    write_record(tmp_path, record())
    (before,) = query(tmp_path, "SELECT lower, rule FROM scores WHERE source = 'measured'")
    monkeypatch.setattr(constants, "Z", 3.0)
    assert query(tmp_path, "SELECT lower, rule FROM scores WHERE source = 'measured'") == [before]
    monkeypatch.setattr(constants, "RULE_VERSION", "another")
    (after,) = query(tmp_path, "SELECT lower, rule FROM scores WHERE source = 'measured'")
    assert after["rule"] == "another"
    assert after["lower"] < before["lower"]


def test_a_record_is_described_with_what_is_derived_of_it(tmp_path):
    document = described(record())
    (score,) = document["scores"]
    assert (score["stderr"], score["whole_stderr"]) == (0.5, None)
    assert 0 < score["lower"] < score["value"] < score["upper"] < 1
    written = json.loads((write_record(tmp_path, record()) / "record.json").read_text("utf-8"))
    assert not {"stderr", "lower", "upper", "whole_stderr", "decoding_stderr"} & set(written["scores"][0])


def rewritten(results, **changes):
    path = write_record(results, record()) / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")
    return path


@pytest.mark.parametrize("argv", [("db", "check"), ("db", "rebuild"), ("db", "path"), ("report", "--out", "page")])
def test_results_of_a_newer_minizoo_are_refused_by_the_name_of_its_version(tmp_path, minizoo, argv):
    write_record(tmp_path, record())
    path = rewritten(tmp_path, schema_version="minizoo.record/3", invention=1)
    ran = minizoo(*argv, "--results", tmp_path, "--json")
    assert ran.code == 4
    error = ran.json()
    assert (error["code"], error["exit_code"]) == ("newer-results", 4)
    assert "minizoo.record/3" in error["what"]
    assert str(path) in error["what"]


def test_a_newer_record_among_others_leaves_the_database_as_it_was(tmp_path):
    write_record(tmp_path, record())
    assert catch_up(tmp_path) == 1
    path = rewritten(tmp_path, schema_version="minizoo.record/12")
    write_record(tmp_path, record())
    with pytest.raises(NewerResults):
        query(tmp_path, "SELECT 1")
    shutil.rmtree(path.parent.parent)
    assert catch_up(tmp_path) == 1


@pytest.mark.parametrize("changes", [{"invention": 1}, {"schema_version": "minizoo.record/x"}, {"schema_version": 3}])
def test_a_record_that_does_not_keep_to_its_schema_is_a_bad_record(tmp_path, changes):
    path = rewritten(tmp_path, **changes)
    with pytest.raises(ValueError, match=r"invention|schema_version"):
        read_record(path)
    (problem,) = check(tmp_path).problems
    assert path.relative_to(tmp_path).as_posix() in problem
