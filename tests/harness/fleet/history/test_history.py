"""Series out of results on disk, their changes, the command and the page."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from click.testing import CliRunner
from support.nights_told import blocks, job, night, series, written
from support.records import record, samples

from harness.fleet.history.change_points import history
from harness.fleet.history.changed import changed_between
from harness.fleet.history.series import read_series
from harness.records.files import write_record
from harness.store.query import Reader
from minizoo.commands.history import history as command
from reports.pages.history.tables import history_page
from reports.publish import publish

NEW = {"torch": "2.14.0", "driver": "580.1", "transformers": "5.0", "minizoo": "0.1.0"}


def noisy(n, seed=0, level=100.0):
    return level * np.exp(0.003 * np.random.default_rng(seed).standard_normal(n))


@pytest.fixture(scope="module")
def slowed(tmp_path_factory):
    """12 nights, then 6 that are a tenth slower with another torch."""
    results = tmp_path_factory.mktemp("slowed")
    speeds = [*noisy(12), *noisy(6, 1, 90.0)]
    for number, speed in enumerate(speeds):
        more = {"changed_by": NEW} if number >= 12 else {}
        written(results, night(number, blocks((speed, speed), **more)), job())
    return results


def test_a_slow_down_has_its_last_good_and_first_bad_night_and_what_changed(slowed):
    ratio, canary = sorted(history(Reader(slowed)), key=lambda one: one.series.key.kind, reverse=True)
    (change,) = ratio.changes
    assert (change.before.night, change.after.night) == ("night-0011", "night-0012")
    assert change.by == pytest.approx(-0.1, abs=0.01)
    assert change.is_worse
    assert change.changed == {"torch": "2.13.0 → 2.14.0"}
    assert canary.changes == ()


def test_command_tells_it_in_words_and_in_json(slowed):
    ran = CliRunner().invoke(command, ["m", "--results", str(slowed)])
    assert ran.exit_code == 0, ran.output
    assert "last good night 2026-11-12 (night-0011), first bad night 2026-11-13 (night-0012)" in ran.output
    assert "torch 2.13.0 → 2.14.0" in ran.output
    told = CliRunner().invoke(command, ["--results", str(slowed), "--json", "--metric", "output_rate"])
    assert '"schema": "minizoo.history/1"' in told.output
    assert '"worse": true' in told.output


def test_command_says_so_where_there_is_nothing(slowed):
    ran = CliRunner().invoke(command, ["nobody", "--results", str(slowed)])
    assert (ran.exit_code, ran.output.splitlines()[0][:26]) == (0, "No figures of that choice.")


def test_page_draws_the_series_and_names_the_nights(slowed, tmp_path):
    made = history_page(Reader(slowed))
    assert made.lede == "2 series; 1 of them changed, 1 for the worse."
    assert "% worse on 2026-11-13" in made.pictures[0].summary
    publish(slowed, tmp_path / "site", "0")
    html = (tmp_path / "site" / "history.html").read_text("utf-8")
    assert html.count("<svg") == 2
    assert "night-0012" in html
    assert "torch 2.13.0 → 2.14.0" in html
    assert "<script>alert" not in html


def test_page_escapes_what_nights_say(tmp_path):
    for outcome in series(noisy(7), model="<script>alert(1)</script>", changed_by={"torch": "<b>"}):
        written(tmp_path, outcome, job())
    publish(tmp_path, tmp_path / "site", "0")
    assert "<script>alert" not in (tmp_path / "site" / "history.html").read_text("utf-8")


def test_too_few_nights_say_how_many_more(tmp_path):
    for outcome in series([100.0, 100.0, 50.0]):
        written(tmp_path, outcome, job())
    assert {one.why_not for one in history(Reader(tmp_path))} == {"3 more needed"}


def test_gpus_have_series_of_their_own(tmp_path):
    for number in range(4):
        written(tmp_path, night(number, blocks(gpu_uuid=f"GPU-{number % 2}")), job())
    assert len([one for one in read_series(Reader(tmp_path)) if one.key.kind == "ratio"]) == 2


def evaluated(results, number, gold, documents=None, **changes):
    """A run that gave its documents those gold log-probabilities, a night's distance after the one before."""
    when = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=number)
    rows = samples([1.0] * len(gold))
    for row, value, name in zip(rows, gold, documents or range(len(gold)), strict=True):
        row |= {"gold_logprob": value, "doc_hash": str(name)}
    write_record(results, record(started_at=when, finished_at=when, **changes), rows)


def test_gold_log_probability_that_falls_is_found_by_document(tmp_path):
    base = np.random.default_rng(0).normal(-3, 2, 50)
    for number in range(14):
        evaluated(tmp_path, number, (base - (0.01 if number >= 8 else 0) + 1e-7 * number).tolist())
    (gold,) = (one for one in history(Reader(tmp_path)) if one.series.key.kind == "gold_logprob")
    (change,) = gold.changes
    assert change.by == pytest.approx(-0.01, rel=1e-3)
    assert change.after == gold.series.figures[8]


def test_other_documents_move_no_series(tmp_path):
    base = np.random.default_rng(0).normal(-3, 2, 50)
    for number in range(14):
        chosen = range(40) if number < 7 else range(10, 50)
        evaluated(tmp_path, number, [float(base[place]) for place in chosen], list(chosen))
    (gold,) = (one for one in history(Reader(tmp_path)) if one.series.key.kind == "gold_logprob")
    assert gold.changes == ()
    assert gold.series.figures[0].value != gold.series.figures[-1].value


def test_rounding_is_no_change(tmp_path):
    for number in range(14):
        evaluated(tmp_path, number, [-1.0 - (1e-6 if number >= 7 else 0)] * 5)
    assert all(one.changes == () for one in history(Reader(tmp_path)))


def test_accuracy_is_shown_and_left_to_the_gate(tmp_path):
    for number in range(8):
        evaluated(tmp_path, number, [-1.0])
    (accuracy,) = (one for one in history(Reader(tmp_path)) if one.series.key.kind == "accuracy")
    assert accuracy.why_not == "judged by the gate, by document"
    assert len(accuracy.series.figures) == 8


def test_a_limit_makes_another_series(tmp_path):
    for number in range(4):
        evaluated(tmp_path, number, [-1.0], limit=None if number % 2 else 100)
    assert len([one for one in read_series(Reader(tmp_path)) if one.key.kind == "accuracy"]) == 2


def test_what_changed_puts_the_driver_first_and_names_what_one_lacks():
    before = {"aaa": "1", "driver": "1", "weights": "0123456789abcdef", "same": "x"}
    after = {"aaa": "2", "driver": "2", "same": "x", "torch": "3"}
    assert list(changed_between(before, after).items()) == [
        ("driver", "1 → 2"), ("weights", "0123456789ab → none"), ("torch", "none → 3"), ("aaa", "1 → 2"),
    ]  # fmt: skip
