"""A page a run: what repeats it, its scores, its failures, its answers; made anew only where something changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from support.records import record, samples
from support.report_pages import Page

from harness.records.files import new_run_id, write_record
from harness.records.record import Contribution, Imported, MetricScore, Setting, Subject
from harness.records.speed_record import Memory, Reason, SpeedComparison, SpeedFacts, Statistic, Validity
from harness.store.query import Reader
from reports.pages import runs
from reports.publish import publish, site_input

RUN = new_run_id()
HOSTILE = "</script><img src=x onerror=alert(1)>\u202egnp"
Sites = Callable[[], dict[str, str]]


def subject(name: str) -> Subject:
    return Subject(
        id=name, source="minizoo", revision="a" * 40, weights_digest="sha256:abcd", tokenizer_digest="t", entry=None,
        kind="registry" if name == "nano-teacher" else None,
    )  # fmt: skip


def setting(**changes: Any) -> Setting:
    fields = {
        "backend": "hf", "device": "cpu", "dtype": "float32", "gpu": None, "driver": None, "host": "bench",
        "platform": "Linux", "versions": {"torch": "2.13.0", "lm-eval": "0.4.13"}, "git_sha": "870c414", "seed": 7,
        "command": "minizoo eval nano-teacher --suite nano", "processor": "AMD EPYC, 2 threads",
    }  # fmt: skip
    return Setting(**{**fields, **changes})


def written(results: Path, task: str = "nano_words", run_id: str = RUN, **changes: Any) -> Path:
    """A record of the nano teacher with two documents."""
    fields: dict[str, Any] = {"subject": subject("nano-teacher"), "setting": setting(), "suite": "nano", "shots": 3}
    rows = [
        {**row, "prompt": f"Question {row['doc_id']}?\nAnswer:", "choices": '[" yes", " no"]', "gold": 0,
         "responses": "[[[-1.5, true]], [[-2.5, false]]]"}
        for row in samples()
    ]  # fmt: skip
    has_samples = changes.pop("samples", True) and changes.get("status", "ok") == "ok"
    return write_record(results, record(task, run_id, **{**fields, **changes}), rows if has_samples else ())


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def made(results: Path) -> Sites:
    """Every page of runs, by its address."""

    def make() -> dict[str, str]:
        site = site_input(results, Reader(results), "0.1.0")
        found = dict(runs.pages(site))
        return found | {run.due.page: run.html for run in runs.run_pages(site, runs.due_runs(site))}

    return make


def page_of(made: Sites, run_id: str = RUN) -> Page:
    return Page(made()[f"runs/{run_id}.html"])


def test_a_run_tells_what_repeats_it(results: Path, made: Sites):
    written(results)
    page = page_of(made)
    for fact in ("minizoo eval nano-teacher --suite nano", RUN, "sha256:abcd", "870c414", "AMD EPYC, 2 threads", "aaaaaaaaaaaa",
                 "lm-eval 0.4.13, torch 2.13.0", "bench, Linux", "2026-11-21 01:03:03 UTC"):  # fmt: skip
        assert fact in page.text
    links = {attributes.get("href") for _, attributes in page.elements}
    assert {"../models/nano-teacher.html", "../runs/index.html", f"../runs/{RUN}/nano_words.parquet"} <= links


def test_every_score_has_its_interval_and_what_it_is_of(results: Path, made: Sites):
    written(results, limit=2, counts=None)
    row = page_of(made).rows[1]
    assert (row[0], row[1], row[2], row[3], row[6]) == ("nano_words", "acc ↑", "3", "0.5000", "2")
    assert row[4].startswith("0.0")
    assert "a part: limit 2" in row[-1]


def test_a_failure_is_told_with_its_reason_and_hides_no_score(results: Path, made: Sites):
    written(results)
    written(
        results, "nano_code", status="failed", reason="no isolation: bwrap", code="no-isolation", scores=(), counts=None
    )
    written(
        results,
        "nano_sums",
        status="infra_failed",
        reason="the GPU fell off",
        code="device-lost",
        scores=(),
        counts=None,
    )
    page = page_of(made)
    assert "nano_code no-isolation: no isolation: bwrap" in page.text
    assert "nano_sums device-lost the machine's failure: the GPU fell off" in page.text
    assert [row[0] for row in page.rows[1:]] == ["nano_words"]


def test_a_reason_that_is_a_whole_log_is_cut_in_its_middle(results: Path, made: Sites):
    log = "it began; " + "x" * 9000 + "; it ended"
    written(results, "nano_code", status="failed", reason=log, code="task-failed", scores=(), counts=None)
    text = page_of(made).text
    assert "it began; " in text
    assert "; it ended" in text
    assert log not in text


def test_documents_are_shown_with_prompt_choices_and_answer(results: Path, made: Sites):
    written(results)
    html = made()[f"runs/{RUN}.html"]
    page = Page(html)
    assert page.count("details") == 2
    assert "Question 1?\nAnswer:" in page.text
    assert page.elements.count(("li", {"class": "likeliest"})) == 2
    for word in ("-1.50", "-2.50", "yes", "no"):
        assert word in page.text
    assert "wrong" in html
    assert "right" in html


def test_samples_of_an_older_minizoo_say_that_prompts_were_not_kept(results: Path, made: Sites):
    write_record(results, record("nano_words", RUN, subject=subject("nano-teacher"), suite="nano"), samples())
    assert "What was asked was not kept" in page_of(made).text


@pytest.mark.parametrize("harm", ["gone", "broken"])
def test_samples_that_are_gone_or_broken_leave_the_page_whole(results: Path, made: Sites, harm: str):
    file = written(results) / "samples.parquet"
    made()
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes(b"PAR1")
    page = page_of(made)
    assert ("no longer beside the record" if harm == "gone" else "cannot be read") in page.text
    assert "0.5000" in page.text


def test_a_run_of_a_model_that_is_in_no_registry_and_all_hostile_names_stay_text(results: Path, made: Sites):
    plain_id, hostile_id = new_run_id(), new_run_id()
    for run_id, name in ((plain_id, "x"), (hostile_id, HOSTILE)):
        scores = (MetricScore(metric=name, filter=name, value=0.5, n=2, higher_is_better=None, chance=None),)
        one = record(
            f"t{name}", run_id, subject=subject(name), suite=name, scores=scores,
            setting=setting(command=name, host=name, processor=name, versions={name: name}),
        )  # fmt: skip
        text = {"metric": name, "filter": name, "prompt": name, "target": name, "responses": json.dumps([[name]])}
        write_record(results, one, [{**row, **text} for row in samples()])
        failed = {"status": "failed", "reason": name, "code": name, "scores": (), "counts": None}
        write_record(
            results, record(f"f{name}", run_id, subject=subject(name), suite=name, setting=setting(), **failed)
        )
    pages = made()
    plain, hostile = Page(pages[f"runs/{plain_id}.html"]), Page(pages[f"runs/{hostile_id}.html"])
    for tag in {name for name, _ in hostile.elements}:
        assert hostile.count(tag) == plain.count(tag), tag
    assert not any(name.startswith("on") for _, attributes in hostile.elements for name in attributes)
    assert hostile.text.count(HOSTILE) > 10
    assert HOSTILE in Page(pages["runs/index.html"]).text


def test_imported_and_contributed_runs_say_where_they_come_from(results: Path, made: Sites):
    theirs, hers = new_run_id(), new_run_id()
    imported = Imported(tool="lm-eval", tool_version="0.4.8", file="results.json", sha256="0", time="stated")
    written(results, run_id=theirs, source="imported", imported=imported, samples=False)
    given = {"source": "contributed", "contribution": Contribution(by="Ada <b>", file="b.zip", sha256="0")}
    written(results, run_id=hers, setting=setting(host="withheld"), samples=False, **given)
    assert "imported from results.json of lm-eval 0.4.8" in page_of(made, theirs).text
    assert "contributed by Ada <b>, in b.zip" in page_of(made, hers).text
    assert "withheld" not in page_of(made, hers).text
    rows = {row[-1].strip() for row in Page(made()["runs/index.html"]).rows[1:]}
    assert rows == {"imported imported", "contributed contributed by Ada <b>"}


def speed(**changes: Any) -> SpeedFacts:
    fields = {
        "workload": "batch1", "point": "128x16.b1", "input_tokens": 128, "output_tokens": 16, "batch": 1,
        "weights": "random", "validity": Validity(valid=True), "machine": {}, "memory": Memory(allocator=1),
        "statistics": (
            Statistic(metric="itl", statistic="p50", value=0.008, lower=0.0079, upper=0.0081, n=90),
            Statistic(metric="itl", statistic="p99", value=None, n=90, refused="p99 needs 299 samples"),
            Statistic(metric="output_rate", statistic="p50", value=125.0, n=9),
        ),
    }  # fmt: skip
    return SpeedFacts.model_validate({**fields, **changes})


def test_a_run_of_speed_has_a_table_a_point_with_what_was_refused(results: Path, made: Sites):
    against = new_run_id()
    compared = SpeedComparison(
        against="nemotron-4-15b", against_run_id=against, mode="equal batch", batch=1, against_batch=1, memory_budget=None,
        metric="output_rate", ratio=2.5, n=9, against_n=9, seed=0, valid=True,
    )  # fmt: skip
    point = {"scores": (), "counts": None, "suite": "batch1", "samples": False}
    written(results, "batch1.128x16.b1", speed=speed(comparisons=(compared,)), **point)
    broken = Validity(valid=False, reasons=(Reason(code="throttled", text="the clock fell"),))
    written(results, "batch1.128x16.b8", speed=speed(point="128x16.b8", batch=8, validity=broken), **point)
    page = page_of(made)
    assert page.rows[0] == ["Metric", "Unit", "p50", "p99", "n"]
    assert page.rows[1] == ["ITL", "ms", "8.00007.9000–8.1000", "too few", "90"]
    assert "128 tokens in, 16 tokens out, batch 1, random weights of the true shapes · valid" in page.text
    assert "not valid: the clock fell" in page.text
    assert "2.5000× the output rate of nemotron-4-15b at equal batch (batch 1 and 1)" in page.text
    assert ("a", {"href": f"../runs/{against}.html"}) in page.elements


def test_the_list_is_in_pages_the_newest_first(results: Path, made: Sites, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runs, "A_PAGE", 2)
    ids = [new_run_id() for _ in range(5)]
    for run_id in ids:
        written(results, run_id=run_id, samples=False)
    pages = made()
    assert {"runs/index.html", "runs/page-2.html", "runs/page-3.html"} <= set(pages)
    listed = [
        attributes["href"]
        for name in ("index", "page-2", "page-3")
        for tag, attributes in Page(pages[f"runs/{name}.html"]).elements
        if tag == "a" and attributes.get("class") == "run-link"
    ]
    assert listed == [f"../runs/{run_id}.html" for run_id in sorted(ids, reverse=True)]
    assert ("a", {"href": "../runs/page-3.html"}) in Page(pages["runs/index.html"]).elements


def test_no_runs_say_what_to_run(results: Path, made: Sites):
    results.mkdir()
    pages = made()
    assert list(pages) == ["runs/index.html"]
    assert "minizoo eval nano-teacher" in Page(pages["runs/index.html"]).text


def test_a_run_of_many_tasks_stays_under_two_megabytes_and_every_task_shows_some(results: Path, made: Sites):
    long = [{**row, "prompt": "<" * 5000} for row in samples(tuple(float(n % 2) for n in range(60)))]
    for n in range(40):
        write_record(results, record(f"task_{n}", RUN, subject=subject("nano-teacher"), suite="nano"), long)
    html = made()[f"runs/{RUN}.html"]
    assert len(html.encode()) < 2_000_000
    page = Page(html)
    assert page.count("section") == 40
    assert 40 <= page.count("details") < 40 * 60


def states(results: Path) -> dict[str, str]:
    site = site_input(results, Reader(results), "0.1.0")
    return {run.state.run_id: run.digest for run in runs.due_runs(site)}


def test_a_page_depends_on_its_own_run_and_on_nothing_else(results: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runs, "code_digest", lambda: "this minizoo")
    other = new_run_id()
    written(results)
    written(results, run_id=other)
    before = states(results)
    assert before == states(results)
    written(results, "nano_cloze", run_id=other)
    after = states(results)
    assert (after[RUN] == before[RUN], after[other] == before[other]) == (True, False)
    monkeypatch.setattr(runs, "code_digest", lambda: "another minizoo")
    assert states(results)[RUN] != before[RUN]


def test_only_new_and_changed_runs_are_made(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("reports.publish.MAKERS", ())
    monkeypatch.setattr(runs, "code_digest", lambda: "this minizoo")
    asked: list[str] = []
    make = runs.run_pages
    monkeypatch.setattr(
        runs, "run_pages", lambda site, due: asked.extend(run.state.run_id for run in due) or make(site, due)
    )
    first = written(results)
    out = tmp_path / "site"
    publish(results, out, "0.1.0")
    samples_file = out / "runs" / RUN / "nano_words.parquet"
    assert samples_file.read_bytes() == (first / "samples.parquet").read_bytes()
    assert pq.read_table(samples_file).num_rows == 2
    publish(results, out, "0.1.0")
    assert asked == [RUN]
    newer = new_run_id()
    written(results, run_id=newer)
    publish(results, out, "0.1.0")
    assert asked == [RUN, newer]
    samples_file.unlink()
    publish(results, out, "0.1.0")
    assert asked == [RUN, newer, RUN]
    assert samples_file.exists()
