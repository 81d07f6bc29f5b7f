"""Scores of a backend that failed conformance are kept, told as unverified wherever they are read, and decide nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from support.compared import keep
from support.gated import policy
from support.model_site import MODEL, score, site_of, subject, write

from harness.baselines.chosen_run import choose_run
from harness.compare.resolve import resolve_side
from harness.gates.gate import gate_pairs
from harness.records.record import Conformance
from harness.store.query import query
from reports.compare.cells import side_line
from reports.pages import runs as run_pages
from zoo.errors import BaselineRefused

DAY = datetime(2026, 11, 21, tzinfo=UTC)
PASSED = Conformance(state="passed", source="shipped", digest="ab", depth="full")
FAILED = Conformance(state="failed", source="measured", digest="cd", depth="short", failed=("alignment",))
UNVERIFIED = {"status": "unverified", "conformance": FAILED, "reason": "backend hf failed conformance (alignment)"}
VALUES = [1.0, 0.0, 1.0, 1.0]


def at(day, **changes):
    return {"finished_at": DAY + timedelta(days=day)} | changes


@pytest.fixture
def nights(tmp_path):
    """A good result of model `m`, then a newer one that is unverified."""
    good = keep(tmp_path, "m", VALUES, **at(0, conformance=PASSED))
    doubted = keep(tmp_path, "m", [0.0] * 4, **at(1, **UNVERIFIED))
    return tmp_path, good, doubted


def test_latest_valid_has_the_good_one_and_scores_has_both(nights):
    results, good, doubted = nights
    (row,) = query(results, "SELECT run_id, conformance FROM latest_valid")
    assert row == {"run_id": good.run_id, "conformance": "passed"}
    rows = query(
        results, "SELECT run_id, status, conformance, value FROM scores WHERE source = 'measured' ORDER BY finished_at"
    )
    assert [(row["status"], row["conformance"]) for row in rows] == [("ok", "passed"), ("unverified", "failed")]
    assert rows[1] == {"run_id": doubted.run_id, "status": "unverified", "conformance": "failed", "value": 0.0}


def test_the_view_of_runs_counts_it_apart_from_failures(nights):
    results, _, doubted = nights
    (row,) = query(results, "SELECT failed, unverified FROM runs WHERE run_id = ?", [doubted.run_id])
    assert row == {"failed": 0, "unverified": 1}


def test_a_record_of_before_is_unchecked_and_an_imported_one_is_nothing(tmp_path):
    keep(tmp_path, "old", VALUES)
    keep(tmp_path, "theirs", VALUES, source="imported")
    found = query(tmp_path, "SELECT model, conformance FROM scores WHERE source <> 'published' ORDER BY model")
    assert [(row["model"], row["conformance"]) for row in found] == [("old", "unchecked"), ("theirs", None)]


def test_a_model_is_compared_by_its_good_result_and_the_other_is_named(nights):
    results, good, doubted = nights
    side = resolve_side("m", results, reference=None)
    assert (side.run_ids, side.standing, side.doubt) == ((good.run_id,), "passed", "")
    assert any(doubted.run_id in note and "unverified and not compared" in note for note in side.notes)
    assert not side.failed


def test_a_run_that_is_named_is_compared_and_says_what_it_is(nights):
    results, _, doubted = nights
    side = resolve_side(doubted.run_id, results, reference=None)
    assert (len(side.results), side.standing) == (1, "failed")
    assert "UNVERIFIED: backend hf failed conformance (alignment)." in side_line("A", side)


def test_an_unchecked_side_says_so_once_and_a_passed_one_nothing(tmp_path):
    keep(tmp_path, "old", VALUES)
    keep(tmp_path, "new", VALUES, conformance=PASSED)
    old, new = (resolve_side(word, tmp_path, reference=None) for word in ("old", "new"))
    assert "Unchecked: whether backend hf gives right numbers" in side_line("A", old)
    assert "nchecked" not in side_line("B", new)


def test_a_gate_decides_nothing_by_it_and_says_who_is_unchecked(nights):
    results, good, doubted = nights
    sides = [resolve_side(run.run_id, results, reference=None) for run in (good, doubted)]
    outcome = gate_pairs(policy({}), [(sides[0], sides[1])])
    (verdict,) = outcome.verdicts
    assert verdict.status == "INCOMPARABLE"
    assert "unverified" in verdict.reason
    assert outcome.exit_code == 3
    assert any("UNVERIFIED" in note for note in outcome.notes)


def test_a_gate_over_unchecked_sides_still_decides_and_names_them(tmp_path):
    runs = [keep(tmp_path, name, VALUES * 50) for name in ("a", "b")]
    sides = [resolve_side(run.run_id, tmp_path, reference=None) for run in runs]
    outcome = gate_pairs(policy({"ask": ("detect",), "margin": 0.5}), [(sides[0], sides[1])])
    assert outcome.verdicts[0].status == "PASS"
    assert sum("unchecked" in note for note in outcome.notes) == 2


def test_it_cannot_be_accepted_as_a_baseline(nights):
    results, _, doubted = nights
    with pytest.raises(BaselineRefused, match=r"winogrande is unverified .*failed conformance"):
        choose_run(results, doubted.run_id)


def test_the_page_of_its_run_and_the_board_say_so(tmp_path):
    write(tmp_path, subject(MODEL, entry={"id": MODEL}), scores=(score(1020),), **UNVERIFIED)
    site = site_of(tmp_path)
    (html,) = [made.html for made in run_pages.run_pages(site, run_pages.due_runs(site))]
    assert "<b>1</b> unverified" in html
    assert "failed alignment (short suite, measured with these results, cd)" in html
    assert not [
        figure
        for row in site.board.rows
        for figures in row.figures.values()
        for figure in figures
        if figure.source == "measured"
    ]
    (lost,) = site.board.failures
    assert "failed conformance" in lost.reason
