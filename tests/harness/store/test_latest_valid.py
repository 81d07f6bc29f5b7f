"""The newest good score of each circumstance: no failure hides one, and no part stands for the whole."""

from datetime import UTC, datetime, timedelta

import pytest
from support.records import record, samples

from harness.records.files import write_record
from harness.records.record import Imported
from harness.store.query import query

START = datetime(2026, 11, 21, tzinfo=UTC)


def scored(value):
    (score,) = record().scores
    return (score.model_copy(update={"value": value}),)


@pytest.fixture
def nights(tmp_path):
    """Write a record a night, each with what is said of it; the view's rows afterwards."""

    def write(*told):
        for night, changes in enumerate(told):
            value = changes.pop("value", 0.5)
            setting = record().setting.model_copy(update=changes.pop("setting", {}))
            fields = {
                "scores": scored(value),
                "finished_at": START + timedelta(days=night),
                "setting": setting,
            } | changes
            write_record(tmp_path, record(**fields), samples())
        return query(tmp_path, 'SELECT * FROM latest_valid ORDER BY finished_at, "limit"')

    return write


def test_the_newest_row_of_a_series_is_the_one(nights):
    (row,) = nights({"value": 0.1}, {"value": 0.2}, {"value": 0.3})
    assert (row["value"], row["finished_at"]) == (0.3, START + timedelta(days=2))
    assert row["conformance"] == "unchecked"


@pytest.mark.parametrize("status", ["failed", "infra_failed"])
def test_a_newer_failure_does_not_replace_a_good_score(status, nights):
    (row,) = nights(
        {"value": 0.4}, {"status": status, "reason": "no memory", "code": "device-memory", "scores": (), "counts": None}
    )
    assert (row["value"], row["status"]) == (0.4, "ok")


def test_nor_does_a_newer_score_without_a_value(nights):
    (row,) = nights({"value": 0.4}, {"value": None})
    assert row["value"] == 0.4


def test_a_newer_part_stands_beside_the_whole(nights):
    rows = nights({"value": 0.4}, {"value": 0.9, "limit": 10})
    assert [(row["limit"], row["value"]) for row in rows] == [(None, 0.4), (10, 0.9)]


@pytest.mark.parametrize(
    "other",
    [
        {"shots": 0},
        {"suite": "paper"},
        {"setting": {"backend": "pruned"}},
        {"setting": {"device": "cuda:0"}},
        {"setting": {"gpu": "NVIDIA H100"}},
        {"setting": {"dtype": "bfloat16"}},
        {"setting": {"compute_dtype": "float32"}},
    ],
)
def test_what_was_measured_in_another_way_is_another_series(other, nights):
    assert len(nights({}, other)) == 2


def test_what_others_measured_is_not_in_it(nights):
    told = Imported(tool="lm-eval", tool_version="0.4.13", file="results.json", sha256="0", time="stated")
    (row,) = nights({"value": 0.4}, {"value": 0.9, "source": "imported", "imported": told})
    assert (row["value"], row["source"]) == (0.4, "measured")


def test_prompts_through_a_chat_template_are_another_circumstance(nights):
    rows = nights(
        {"value": 0.4}, {"value": 0.2, "chat_template": "sha256:ab"}, {"value": 0.3, "chat_template": "sha256:ab"}
    )
    assert [row["value"] for row in rows] == [0.4, 0.3]
