"""From the command on a machine that is lent, killed once, over its bundle and `minizoo import` to the page."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from support.lent_machine import Killed, LentMachine, value
from support.report_pages import Page

MODELS = {"nano-width-pruned", "nano-depth-pruned", "nano-teacher"}


@pytest.fixture
def bundle(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Path:
    """What two calls of gpu_rows left, the first of which was killed at its second pair."""
    lent = LentMachine(monkeypatch, capsys, tmp_path)

    def kill(words: list[str]) -> None:
        if "nano-depth-pruned" in words and not killed:
            killed.append(value(words, "--against"))
            raise Killed

    killed: list[str] = []
    lent.instead = kill
    words = ("--family", "nano", "--workloads", "batch1", "--by", "Ada <b>L.</b>")
    with pytest.raises(Killed):
        lent(*words)
    assert lent(*words).code == 0
    assert killed == ["nano-teacher"]
    return lent.bundle.path


def test_rows_that_somebody_gave_are_on_the_page_under_their_name(bundle: Path, tmp_path: Path, minizoo):
    results = tmp_path / "results"
    assert minizoo("import", "--check", bundle).code == 0
    assert minizoo("import", bundle, "--results", results).code == 0
    assert minizoo("report", "--out", tmp_path / "site", "--results", results).code == 0
    html = (tmp_path / "site" / "index.html").read_text("utf-8")
    _, _, points, ratios = (Page(f"<table{part}") for part in html.split("<table"))
    measured = [row for row in points.rows if row[0] in MODELS]
    assert len(measured) == 8
    assert {row[0] for row in measured} == MODELS
    assert {row[-2].removesuffix("no-process-telemetry") for row in measured} == {"valid"}
    assert all(row[-1].startswith("contributed by Ada <b>L.</b>") for row in measured)
    compared = [row for row in ratios.rows if row[1] == "nano-teacher"]
    assert {row[3].partition(" (")[0] for row in compared} == {"equal batch", "equal memory"}
    assert {row[9] for row in compared} == {"valid"}
    assert "8 valid speed rows" in Page(html).text
    assert "withheld" not in html


def test_an_altered_bundle_is_refused_and_leaves_no_row(bundle: Path, tmp_path: Path, minizoo):
    other = tmp_path / bundle.name
    with zipfile.ZipFile(bundle) as packed, zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as altered:
        for info in packed.infolist():
            content = packed.read(info)
            altered.writestr(
                info, content.replace(b"nano-teacher", b"nano-preacher") if "record" in info.filename else content
            )
    for words in (("import", "--check", other), ("import", other, "--results", tmp_path / "results")):
        ran = minizoo(*words)
        assert ran.code == 2
        assert "was changed since it was packed" in ran.err
    assert not (tmp_path / "results" / "runs").exists()
