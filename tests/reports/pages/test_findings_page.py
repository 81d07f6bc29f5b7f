"""The write-up of the findings: on the site and as Markdown, from a record or before there is one, whatever text is in it."""

import re
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.boards import site, small
from support.browser import HOSTILE
from support.findings import made_record
from support.paths import ROOT

from harness.findings.finding import load_findings
from harness.findings.record import judged_of, read_record
from minizoo.cli import minizoo
from reports.charts import findings as picture
from reports.pages.findings import account, markdown, page
from reports.pages.findings.stored import COMMITTED, stored_record
from reports.site import addresses
from reports.tables.findings import findings_table, verdict
from zoo.errors import InvalidFile


@pytest.fixture(scope="module")
def record():
    return made_record()


@pytest.fixture
def results(tmp_path, record):
    folder = tmp_path / "findings" / "nano"
    folder.mkdir(parents=True)
    (folder / "findings.json").write_text(record.text())
    return tmp_path


def made_page(results):
    ((address, html),) = page.pages(site(small(), results=results))
    assert address == addresses.FINDINGS
    return html


def test_every_finding_stands_there_with_paper_figure_verdict_and_picture(results, record):
    html = made_page(results)
    for each in judged_of(record):
        assert f'id="{each.finding.id}"' in html
        assert each.finding.sentence in unescape(html)
        assert each.finding.paper.says in unescape(html)
        assert each.finding.small_scale in unescape(html)
    assert html.count("<svg ") == len(load_findings())
    assert "Of 15 findings of the papers" in html
    assert "CPU minutes for 8 seeds" in html


def test_without_a_record_the_page_says_what_will_be_tested(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "stored_record", lambda results: stored_record(results, tmp_path / "none.json"))
    html = made_page(tmp_path)
    assert "No record of minizoo claims --reproduce nano is in this checkout yet." in html
    assert "not run yet" in html
    assert "<svg" not in html


def test_the_results_folder_goes_before_the_committed_record(results, record, tmp_path):
    other = tmp_path / "committed.json"
    other.write_text(made_record(3).text())
    assert stored_record(results, other) == record
    assert len(stored_record(tmp_path / "nowhere", other).seeds) == 3
    other.write_text("[]")
    with pytest.raises(InvalidFile):
        stored_record(tmp_path / "nowhere", other)


def test_hostile_text_is_shown_and_not_obeyed(record, tmp_path):
    bad = record.arms[0].model_copy(update={"name": HOSTILE, "diverged": {1: HOSTILE}})
    hostile = record.model_copy(update={"processor": HOSTILE, "arms": (bad, *record.arms[1:])})
    folder = tmp_path / "findings" / "nano"
    folder.mkdir(parents=True)
    (folder / "findings.json").write_text(hostile.text())
    html = made_page(tmp_path)
    assert HOSTILE not in html
    assert "<script>alert" not in html
    text = dict(markdown.files(hostile))["findings.md"]
    assert "<script>" not in text.replace("\\<script\\>", "")


def test_the_same_record_gives_the_same_bytes_and_old_pictures_go(record, tmp_path):
    assert dict(markdown.files(record)) == dict(markdown.files(record))
    (tmp_path / "findings").mkdir()
    (tmp_path / "findings" / "gone.svg").write_text("<svg/>")
    made = markdown.write(record, tmp_path)
    assert {path.name for path in (tmp_path / "findings").iterdir()} == {f"{each.id}.svg" for each in load_findings()}
    text = made[0].read_text()
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        assert (tmp_path / path).read_text().startswith("<svg ")


def test_the_committed_page_is_what_the_committed_record_gives():
    """`python -m reports.pages.findings` brings it up to date."""
    for name, content in markdown.files(read_record(COMMITTED)):
        assert (ROOT / "docs" / name).read_text("utf-8") == content


def test_a_picture_says_in_words_what_it_shows(record):
    for each in judged_of(record):
        chart = picture.draw(each)
        assert each.finding.sentence in chart.summary
        assert each.word in chart.summary
        assert "currentColor" in chart.svg
    assert picture.draw(judged_of(made_record(0))[0]) is None


def test_a_row_that_is_not_resolved_says_how_many_seeds_it_would_take(record):
    from dataclasses import replace

    one = replace(judged_of(record)[0], word="not resolved", needed=23)
    assert verdict(one) == "not resolved: 23 seeds would be needed"
    assert verdict(replace(one, needed=None)) == "not resolved: more than 10,000 seeds would be needed"
    rows = findings_table([one]).rows
    assert rows[0][4] == verdict(one)


def test_too_few_seeds_are_said_in_every_row():
    told = account.account_of(made_record(2))
    assert {row[4] for row in told.table.rows} == {"too few seeds: 3 at least"}
    assert "15 without an interval for want of seeds" in told.lede


def test_margins_that_were_changed_after_the_seeds_began_are_told_of(record):
    assert account.CHANGED not in account.account_of(record).how
    assert account.CHANGED in account.account_of(record.model_copy(update={"rules": "another"})).how


def test_what_the_page_tells_to_run_is_a_command(results):
    commands = re.findall(r"<pre><code>minizoo (\w+)", made_page(results))
    assert commands
    for command in commands:
        assert CliRunner().invoke(minizoo, [command, "--help"]).exit_code == 0, command


def test_doubts_have_words_for_every_rule():
    from reports.models.published import findings_in
    from zoo.registry.loader import load_registry

    rules = {finding.rule for found in findings_in(load_registry()).values() for finding in found}
    assert rules <= set(page.DOUBTS)


def test_the_write_up_can_be_made_by_its_module(record, tmp_path):
    from reports.pages.findings.__main__ import main

    path = tmp_path / "record.json"
    path.write_text(record.text())
    made = CliRunner().invoke(main, ["--record", str(path), "--docs", str(tmp_path / "docs")])
    assert made.exit_code == 0
    assert Path(made.output.splitlines()[0]).read_text().startswith("# Findings\n")
