"""`minizoo report`: from stored records to a file, whole or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.report_pages import Page

from harness.records.files import new_run_id, write_record
from harness.records.record import Counts, MetricScore, Record, Setting, Subject
from harness.stats.sufficient import MeanStatistics
from minizoo.cli import run as minizoo
from reports.cells import ABSENT


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder with one run of two tasks: one scored, one failed."""
    folder = tmp_path / "results"
    moment = datetime(2026, 11, 21, 1, 30, tzinfo=UTC)
    common = {
        "run_id": new_run_id(), "suite": "nano", "resolved_suite": {}, "task_version": "1", "task_digest": "d",
        "shots": 4, "limit": None, "overflow": "refuse", "started_at": moment, "finished_at": moment,
        "subject": Subject(id="nano-teacher", source="minizoo", revision=None, weights_digest="sha256:abcd",
                           tokenizer_digest="t", entry=None),
        "setting": Setting(backend="hf", device="cpu", dtype="float32", gpu=None, driver=None, host="bench",
                           platform="Linux", versions={"torch": "2.13.0"}, git_sha=None, seed=7,
                           command="minizoo eval --model nano-teacher"),
    }  # fmt: skip
    known = MeanStatistics(squares=9.0, units=100, binary=True, unit_interval=True)
    number_of = {"value": 0.9, "statistics": known, "n": 100, "chance": 0.5}
    scored = MetricScore(metric="acc", filter="none", higher_is_better=True, **number_of)
    counts = Counts(documents=100, documents_total=100, requests=200, tokens=9000, truncated=0, reused=0)
    write_record(folder, Record(task="nano_facts", status="ok", counts=counts, scores=(scored,), **common))
    write_record(folder, Record(task="nano_code", status="failed", reason="no isolation", counts=None, **common))
    return folder


def test_report_writes_the_stored_scores_and_prints_where(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795000000")
    out = tmp_path / "site" / "deep"
    assert minizoo(["report", "--out", str(out), "--results", str(results)]) == 0
    assert capsys.readouterr().out.strip() == str(out / "index.html")
    html = (out / "index.html").read_text("utf-8")
    page = Page(html)
    measured = [row for row in page.rows if row[-1] == "measured"]
    assert [(row[2], row[6], row[10]) for row in measured] == [
        ("nano_code", ABSENT, "failedno isolation"),
        ("nano_facts", "0.9000", "ok"),
    ]
    assert "Generated 2026-11-18 11:06 UTC by minizoo" in page.text
    assert "from 2 records" in page.text
    assert minizoo(["report", "--out", str(out), "--results", str(results)]) == 0
    assert (out / "index.html").read_text("utf-8") == html
    assert [path.name for path in out.iterdir()] == ["index.html"]


@pytest.mark.parametrize("place", ["a file in the way", "a folder in its place", "nowhere to make it"])
def test_a_page_that_cannot_be_written_is_one_paragraph_and_exit_4(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
):
    out = tmp_path / "out"
    if place == "a file in the way":
        out.write_text("mine")
    elif place == "a folder in its place":
        (out / "index.html").mkdir(parents=True)
    else:
        out = Path("/proc/minizoo")
    assert minizoo(["report", "--out", str(out), "--results", str(results)]) == 4
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert str(out) in told
    assert "minizoo report --out DIR" in told
    assert out.is_dir() <= ([path.name for path in out.iterdir()] == ["index.html"] if out.is_dir() else True)


def test_a_report_without_results_says_to_evaluate_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert minizoo(["report", "--out", str(tmp_path), "--results", str(tmp_path / "none")]) == 4
    assert "minizoo eval" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_broken_source_date_epoch_is_a_usage_error(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert minizoo(["report", "--out", str(tmp_path / "out"), "--results", str(results)]) == 2
    assert "SOURCE_DATE_EPOCH is 'yesterday'" in capsys.readouterr().err
