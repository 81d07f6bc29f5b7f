"""`minizoo report`: from stored records to a site, whole or not at all, and to tables in other forms."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from support.records import record, samples
from support.report_pages import Page

from harness.records.files import new_run_id, write_record
from harness.records.record import Subject
from minizoo.cli import run as minizoo
from reports import publish
from reports.pages import runs
from reports.site.committed import Committed, copy_committed
from reports.site.writing import LOCK, MANIFEST

NAMES = ("nano-teacher", "nano-width-pruned", "<b>of nobody's</b>")
FIRST = "index.html"


def subject(name: str) -> Subject:
    return Subject(
        id=name, source="minizoo", revision=None, weights_digest="w", tokenizer_digest="t", entry=None,
        kind="registry" if name.startswith("nano") else None,
    )  # fmt: skip


def write(results: Path, name: str, **changes: Any) -> str:
    """A run of that model over one task."""
    run_id = new_run_id()
    write_record(
        results, record("nano_words", run_id, subject=subject(name), suite="nano", shots=3, **changes), samples()
    )
    return run_id


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of three models; of one also a failure."""
    folder = tmp_path_factory.mktemp("measured") / "results"
    for name in NAMES:
        write(folder, name)
    failed = {"status": "failed", "reason": "no isolation", "code": "no-isolation", "scores": (), "counts": None}
    fields = {"subject": subject(NAMES[0]), "suite": "nano", **failed}
    write_record(folder, record("nano_code", new_run_id(), **fields))
    return folder


@pytest.fixture(scope="module")
def site(measured: Path) -> Path:
    """The whole site of them."""
    out = measured.parent / "site" / "deep"
    assert (
        minizoo(["report", "--out", str(out), "--results", str(measured), "--compare", f"{NAMES[0]},{NAMES[2]}"]) == 0
    )
    return out


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site of the pages of runs alone, which is quick; the shape of the others is tested elsewhere."""
    monkeypatch.setattr(publish, "MAKERS", (runs.pages,))
    monkeypatch.setattr(runs, "code_digest", lambda: "this minizoo")


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    """The document that was printed."""
    return json.loads(capsys.readouterr().out)


def pages_of(site: Path) -> dict[str, Page]:
    paths = sorted(site.rglob("*.html"))
    return {path.relative_to(site).as_posix(): Page(path.read_text("utf-8")) for path in paths}


def test_a_site_has_every_kind_of_page_and_a_table_for_programs(site: Path):
    there = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert {
        FIRST, "board.parquet", "models/index.html", "models/nano-teacher.html", "runs/index.html", "compare/index.html",
        "speed/index.html", "claims.html", "gate.html", "history.html", "findings.html", "engines.html",
    } <= there  # fmt: skip
    assert there - {MANIFEST, LOCK} == set(json.loads((site / MANIFEST).read_text("utf-8"))["files"])
    assert len([name for name in there if re.fullmatch(r"runs/[0-9a-f-]{36}\.html", name)]) == 4


def test_every_link_of_every_page_leads_somewhere(site: Path):
    found = pages_of(site)
    anchors = {name: {attributes.get("id") for _, attributes in page.elements} for name, page in found.items()}
    dead: list[str] = []
    for name, page in found.items():
        for address in {attributes.get("href") or "" for tag, attributes in page.elements if tag == "a"}:
            if re.match(r"https?:|mailto:", address):
                continue
            path, _, fragment = address.partition("#")
            target = (site / name).parent / unquote(path) if path else site / name
            known = anchors.get(target.resolve().relative_to(site.resolve()).as_posix())
            alive = target.is_file() and (not fragment or known is None or fragment in known or "=" in fragment)
            dead += [] if alive else [f"{name}: {address}"]
    assert len(found) > 40
    assert dead == []


def test_no_page_tells_the_time_of_its_making_or_the_place(site: Path, measured: Path):
    for name, page in pages_of(site).items():
        assert str(measured) not in page.text, name
        assert "Generated 2" not in page.text, name


def test_every_page_is_under_two_megabytes_and_runs_nothing_of_others(site: Path):
    for path in site.rglob("*.html"):
        html = path.read_text("utf-8")
        assert len(html.encode()) < 2_000_000
        assert "default-src 'none'" in html
        assert not [attributes["src"] for _, attributes in Page(html).elements if "src" in attributes]


def test_the_same_results_give_the_same_bytes_and_nothing_is_written_again(
    site: Path, measured: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    before = {path: path.stat().st_mtime_ns for path in site.rglob("*.html")}
    words = ["report", "--out", str(site), "--results", str(measured), "--compare", f"{NAMES[0]},{NAMES[2]}", "--json"]
    assert minizoo(words) == 0
    made = told(capsys)
    assert (made["path"], made["written"]) == (str(site / FIRST), 0)
    assert made["files"] > len(before)
    assert {path: path.stat().st_mtime_ns for path in site.rglob("*.html")} == before


def test_where_the_site_is_is_all_that_is_printed(
    measured: Path, tmp_path: Path, few: None, capsys: pytest.CaptureFixture[str]
):
    assert minizoo(["report", "--out", str(tmp_path / "new" / "site"), "--results", str(measured)]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (f"{tmp_path / 'new' / 'site' / FIRST}\n", "")


def test_a_folder_that_is_not_ours_is_refused_before_anything_is_read(
    measured: Path, tmp_path: Path, few: None, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "thesis.docx").write_text("mine")
    assert minizoo(["report", "--out", str(tmp_path), "--results", str(measured), "--json"]) == 2
    assert told(capsys)["code"] == "not-a-site"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


def test_a_site_of_a_newer_minizoo_is_refused(
    measured: Path, tmp_path: Path, few: None, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / MANIFEST).write_text('{"schema": "minizoo.site/99", "files": {}}')
    assert minizoo(["report", "--out", str(tmp_path), "--results", str(measured), "--json"]) == 4
    assert told(capsys)["code"] == "newer-site"


@pytest.mark.parametrize("place", ["a file in the way", "nowhere to make it"])
def test_a_site_that_cannot_be_written_is_one_paragraph_and_exit_4(
    measured: Path, tmp_path: Path, few: None, capsys: pytest.CaptureFixture[str], place: str
):
    out = tmp_path / "out" if place == "a file in the way" else Path("/proc/minizoo")
    if place == "a file in the way":
        out.write_text("mine")
    assert minizoo(["report", "--out", str(out), "--results", str(measured)]) == 4
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(out) in said
    assert "minizoo report --out DIR" in said


@pytest.mark.parametrize("way", ["--results", "MINIZOO_RESULTS"])
def test_a_results_folder_that_was_named_and_is_not_there_is_told(
    tmp_path: Path, few: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, way: str
):
    words = ["report", "--out", str(tmp_path / "site")]
    if way == "--results":
        words += ["--results", str(tmp_path / "none")]
    else:
        monkeypatch.setenv(way, str(tmp_path / "none"))
    assert minizoo(words) == 4
    assert "minizoo eval" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_results_the_site_is_of_the_records_that_come_with_minizoo(
    tmp_path: Path, few: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    published = tmp_path / "published"
    run_id = write(published / "records", "nano-teacher")
    monkeypatch.setattr("reports.site.committed.copy_committed", lambda folder: copy_committed(folder, published))
    monkeypatch.chdir(tmp_path)
    before = sorted(path for path in published.rglob("*"))
    assert minizoo(["report", "--out", "site"]) == 0
    out, err = capsys.readouterr()
    assert out == "site/index.html\n"
    assert "There is no results folder results: the report is of 1 run that comes with minizoo" in err
    assert (tmp_path / "site" / "runs" / f"{run_id}.html").is_file()
    assert sorted(path for path in published.rglob("*")) == before
    assert not (tmp_path / "results").exists()


def test_without_any_records_it_is_of_what_others_published(
    tmp_path: Path, few: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        "reports.site.committed.copy_committed", lambda folder: copy_committed(folder, tmp_path / "none")
    )
    monkeypatch.chdir(tmp_path)
    assert minizoo(["report", "--format", "csv"]) == 0
    out, err = capsys.readouterr()
    assert {row["source"] for row in csv.DictReader(io.StringIO(out))} == {"published"}
    assert "the report is of what others published" in err


def test_committed_records_that_cannot_be_copied_are_told(tmp_path: Path):
    from zoo.errors import NotWritable

    write(tmp_path / "published" / "records", "nano-teacher")
    assert copy_committed(tmp_path / "results", tmp_path / "published") == Committed(1, 0)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(NotWritable, match="TMPDIR"):
        copy_committed(tmp_path / "file", tmp_path / "published")


@pytest.mark.parametrize("name", ["page.html", "folder"])
def test_one_file_holds_the_leaderboard_and_leads_to_no_other_page(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
):
    assert minizoo(["report", "--single-file", "--out", str(tmp_path / name), "--results", str(measured)]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == (tmp_path / name if name == "page.html" else tmp_path / name / "leaderboard.html")
    links = {attributes.get("href") or "" for tag, attributes in Page(path.read_text("utf-8")).elements if tag == "a"}
    assert not [link for link in links if link and not link.startswith(("#", "https://"))]
    assert [each for each in path.parent.rglob("*") if each.is_file()] == [path]


def test_one_file_never_takes_the_place_of_anothers(measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "page.html").write_text("mine")
    words = ["report", "--single-file", "--out", str(tmp_path / "page.html"), "--results", str(measured), "--json"]
    assert minizoo(words) == 2
    assert told(capsys)["code"] == "not-a-site"
    assert (tmp_path / "page.html").read_text() == "mine"


@pytest.mark.parametrize("form", ["markdown", "json", "csv"])
def test_a_table_is_printed_or_written(measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str):
    words = ["report", "--format", form, "--results", str(measured)]
    assert minizoo(words) == 0
    printed = capsys.readouterr().out
    assert "nano_words" in printed.replace("\\", "")
    assert "\r" not in printed
    assert "\\r" not in printed
    assert form != "json" or json.loads(printed)["figures"]
    assert minizoo([*words, "--out", str(tmp_path / "table")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'table'}\n"
    assert (tmp_path / "table").read_text("utf-8").splitlines() == printed.splitlines()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "--out"),
        (["--single-file"], "--out"),
        (["--out", "x", "--format", "csv", "--single-file"], "--single-file is of pages"),
        (["--out", "x", "--format", "csv", "--compare", "a,b"], "--compare is of pages"),
        (["--out", "x", "--single-file", "--compare", "a,b"], "--single-file has room for one"),
        (["--format", "csv", "--json"], "--json prints one JSON document"),
        (["--out", "x", "--format", "yaml"], "yaml"),
        (["--out", "x", "--compare", "a"], "A,B"),
        (["--out", "x", "--compare", "a,a"], "A,B"),
        (["--out", "x", "--compare", "nano-teacher,nano-widht"], "nano-width"),
    ],
)
def test_words_that_do_not_go_together_are_refused_and_nothing_is_written(
    measured: Path, tmp_path: Path, few: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    words: list[str], says: str,
):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert minizoo(["report", *words, "--results", str(measured)]) == 2
    assert says in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.html"))
