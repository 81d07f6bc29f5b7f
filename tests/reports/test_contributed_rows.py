"""From the command on a machine that is lent, killed once, over its bundle and `minizoo import` to the page."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from support.lent_machine import Killed, LentMachine, value
from support.report_pages import Page

MODELS = {"nano-width-pruned", "nano-width", "nano-depth-pruned", "nano-depth", "nano-teacher"}


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
    runs = [Page(path.read_text("utf-8")) for path in (tmp_path / "site" / "runs").glob("*-*-*.html")]
    mine = [page for page in runs if f"contributed by Ada <b>L.</b>, in {bundle.name}" in page.text]
    assert len(mine) == len(runs) > 0
    assert {model for model in MODELS for page in runs if f"{model} on batch1" in page.text} == MODELS
    points = [page.text.count("tokens in, ") for page in runs]
    assert sum(points) == 16
    assert sum(page.text.count("· valid") for page in runs) == 16
    compared = [page.text for page in runs if "of nano-teacher at equal" in page.text]
    assert all(any(f"at {rule}" in text for text in compared) for rule in ("equal batch", "equal memory"))
    assert not any("not valid" in text for text in compared)
    speed = [path.read_text("utf-8") for path in (tmp_path / "site" / "speed").glob("*.html")]
    assert any("Ada &lt;b&gt;L.&lt;/b&gt;" in html for html in speed)
    for path in (tmp_path / "site").rglob("*.html"):
        assert "withheld" not in path.read_text("utf-8")


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
