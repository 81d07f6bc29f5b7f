"""Percentiles and ratios of a record that keeps values alone are derived from the trials beside it."""

import json
import shutil

import pytest

from harness.store.catch_up import catch_up
from harness.store.query import query

STATISTICS = (
    "SELECT * EXCLUDE (reasons, reason_codes, notes, note_codes) FROM speed ORDER BY run_id, task, metric, statistic"
)
RATIOS = "SELECT * FROM speed_ratios ORDER BY run_id, task, mode, metric"


def as_written_now(results):
    """Write the old speed records of measured points as the present schema has them: without what is derived."""
    changed = 0
    for path in sorted(results.glob("runs/*/*/*/record.json")):
        document = json.loads(path.read_text("utf-8"))
        if document["source"] != "measured" or not document["speed"]:
            continue
        document["schema_version"] = "minizoo.record/2"
        for kept, derived in (("statistics", ("lower", "upper", "confidence", "refused")),
                              ("comparisons", ("lower", "upper", "p_value"))):  # fmt: skip
            for one in document["speed"][kept]:
                changed += 1
                for name in derived:
                    del one[name]
        path.write_text(json.dumps(document), "utf-8")
    return changed


@pytest.fixture
def old(results):
    return query(results, STATISTICS), query(results, RATIOS)


def test_records_without_intervals_show_those_that_were_recorded_with_them(results, old):
    statistics, ratios = old
    assert as_written_now(results) > 100
    (results / "minizoo.duckdb").unlink()
    assert query(results, STATISTICS) == statistics
    assert query(results, RATIOS) == ratios
    assert all(row["lower"] <= row["ratio"] <= row["upper"] for row in ratios)


def test_a_ratio_waits_for_the_run_of_the_other_side(results, old):
    _, ratios = old
    as_written_now(results)
    (results / "minizoo.duckdb").unlink()
    others = {row["against_run_id"] for row in ratios}
    folders = [path for path in results.glob("runs/*/*") if path.name in others]
    aside = results.parent / "aside"
    for folder in folders:
        shutil.move(folder, aside / folder.name)
    assert {(row["lower"], row["p_value"], row["rule"]) for row in query(results, RATIOS)} == {(None, None, None)}
    for folder in folders:
        shutil.move(aside / folder.name, folder)
    assert catch_up(results) == len(folders)
    assert query(results, RATIOS) == ratios


def test_a_record_without_its_trials_keeps_what_it_states(results, old):
    statistics, _ = old
    for path in results.glob("runs/*/*/*/trials.parquet"):
        path.unlink()
    (results / "minizoo.duckdb").unlink()
    shown = query(results, STATISTICS)
    assert {row["rule"] for row in shown if row["source"] == "measured"} == {"record/1"}
    assert [row["upper"] for row in shown] == [row["upper"] for row in statistics]
