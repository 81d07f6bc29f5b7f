"""gpu_rows from its command line to its bundle, over backends of known times: what is run, kept, told and bundled."""

from datetime import UTC, datetime

import pytest
from support.lent_machine import ALONE, CARD, FIRST, SECOND, Killed, kill, only_at, value
from support.speed_fakes import FakeBackend

from benchmarks.rows.drive import counted_runs
from benchmarks.rows.state import Attempt
from zoo.arch.roofline import memory_bytes
from zoo.registry.loader import load_registry


def test_every_pair_is_measured_and_bundled_once_and_a_second_call_runs_nothing(lent):
    ran = lent("--family", "nano", "--workloads", "batch1", "--by", "Ada")
    assert ran.code == 0, ran.err
    assert [(words[2], value(words, "--against")) for words in ran.steps] == [
        ("nano-width-pruned", "nano-teacher"),
        ("nano-width", "nano-teacher"),
        ("nano-depth-pruned", "nano-teacher"),
        ("nano-depth", "nano-teacher"),
    ]
    rows = lent.rows
    assert rows.count(("nano-teacher", "batch1.128x128.b1")) == 8  # each pair at equal batch and in equal memory
    assert len(rows) == len({(one.record.run_id, one.record.task) for one in lent.bundle.records}) == 16
    assert f"{lent.bundle.path}: 16 rows (16 valid)\n" in ran.out
    assert f"minizoo import {lent.bundle.path}." in ran.out
    assert "docs/gpu-rows.md" in ran.out
    assert lent.bundle.manifest.by == "Ada"
    before = lent.bundle.path
    again = lent("--family", "nano", "--workloads", "batch1")
    assert (again.code, again.steps, lent.rows) == (0, [], rows)
    assert lent.bundle.path != before  # which it took the place of


def test_a_step_is_told_before_and_after_with_its_figure(lent):
    ran = lent("--models", "nano-depth-pruned", "--workloads", "batch1")
    lines = ran.err.splitlines()
    assert lines[0] == "A card of the tests, bfloat16"
    assert lines[1] == "nano-depth-pruned against nano-teacher, batch1 at batch 1 (4.9 MB); 10.0 min left …"
    assert lines[2].startswith("  done in ")
    assert "equal batch 1.00×, 93.4 against 93.4 output tokens/s" in lines[2]
    assert "equal memory (batch " in lines[2]


def test_a_killed_call_is_gone_on_with_and_what_was_done_is_not_done_again(lent, two_batches):
    lent.instead = only_at(2, kill)
    with pytest.raises(Killed):
        lent(*ALONE, two_batches)
    assert lent.outcomes == {FIRST: ["done"], SECOND: [None]}
    assert not list(lent.results.glob("*.zip"))
    lent.instead = lambda words: None
    ran = lent(*ALONE, two_batches)
    assert (ran.code, ran.batches) == (0, [2])
    assert "nano-teacher, two at batch 2 was going on when the last call was killed: broken off\n" in ran.err
    assert lent.outcomes == {FIRST: ["done"], SECOND: ["broken off", "done"]}
    assert lent.rows == [("nano-teacher", "two.16x8.b1"), ("nano-teacher", "two.16x8.b2")]


def test_a_row_that_was_whole_when_its_call_was_killed_is_kept(lent, two_batches):
    lent.instead = only_at(1, lambda words: lent.step(words) and kill())
    with pytest.raises(Killed):
        lent(*ALONE, two_batches)
    lent.instead = lambda words: None
    ran = lent(*ALONE, two_batches)
    assert (ran.code, ran.batches, lent.outcomes[FIRST]) == (0, [2], ["done"])
    assert len(lent.rows) == 2


def test_of_a_pair_killed_half_way_no_row_is_bundled_twice(lent):
    def half(words):
        lent.step([*words, "--max-minutes", "0.4"])  # 24 s: the time is up within the second pairing
        kill()

    words = ("--models", "nano-depth-pruned", "--workloads", "batch1")
    lent.backend = lambda name: FakeBackend(lent.hand, prefill=1.0, step=0.001)
    lent.instead = half
    with pytest.raises(Killed):
        lent(*words)
    lent.instead = lambda words: None
    ran = lent(*words)
    assert (ran.code, len(ran.steps)) == (0, 1)
    assert list(lent.outcomes.values()) == [["broken off", "done"]]
    assert len(lent.rows) == 4


def test_a_sweep_doubles_until_the_memory_is_full_each_step_a_process(lent, sweep):
    lent.backend = lambda name: FakeBackend(lent.hand, room_limit=4)
    ran = lent(*ALONE, sweep)
    assert (ran.code, ran.batches) == (0, [1, 2, 4, 8])
    assert "4 rows (3 valid, 1 failed)" in ran.out
    assert lent(*ALONE, sweep).steps == []


def test_a_sweep_ends_when_more_brings_nothing_and_is_gone_on_with_after_a_kill(lent, sweep):
    lent.instead = only_at(4, kill)
    with pytest.raises(Killed):
        lent(*ALONE, sweep)
    # a step of as many seconds as sequences: the rate stands still from the first batch on
    lent.backend = lambda name: FakeBackend(lent.hand, prefill=lambda n: 8.0 * room[0], step=0.001)
    room = [4]
    lent.instead = lambda words: room.__setitem__(0, int(value(words, "--batch")))
    ran = lent(*ALONE, sweep, "--minutes", "100")
    assert ran.code == 0
    assert ran.batches == [4, 8]
    assert [task for _, task in lent.rows] == [f"doubling.16x8.b{batch}" for batch in (1, 2, 4, 8)]


def test_a_sweep_is_ended_by_arithmetic_and_the_bundle_says_at_which_batch(lent, sweep):
    fits = memory_bytes(load_registry().models["nano-teacher"].architecture, 4, 24, "bfloat16", "bfloat16")
    lent.card = CARD.model_copy(update={"free": 1_500_000_000 + fits, "memory": 10**9})
    ran = lent(*ALONE, sweep)
    assert (ran.code, ran.batches) == (0, [1, 2, 4])
    (said,) = lent.bundle.manifest.notes
    assert said.startswith("left out: nano-teacher, doubling at batch 8: weights and caches take ")


def test_scoring_is_told_which_tasks_have_their_record_whoever_was_killed(lent):
    def half(words):
        lent.scored(words, ["nano_words", "nano_cloze"])
        kill()

    words = ("--models", "nano-teacher", "--workloads", "scoring", "--reference-minutes", "2")
    lent.instead = half
    with pytest.raises(Killed):
        lent(*words)
    lent.instead = lambda words: lent.scored(words, ["nano_endings"])
    ran = lent(*words)
    assert ran.code == 0, ran.err
    (step,) = ran.steps
    assert step[0] == "benchmarks.rows.scoring"
    assert value(step, "--skip") == "nano_cloze,nano_words"
    assert value(step, "--reference-minutes") == "2"
    assert lent.rows == [("nano-teacher", f"scoring.nano_{name}") for name in ("cloze", "endings", "words")]
    assert "nano_endings 8.0× lm-eval HFLM, batch 1" in ran.err


def test_a_task_whose_engine_broke_is_scored_once_more(lent):
    words = ("--models", "nano-teacher", "--workloads", "scoring")
    lent.instead = lambda words: lent.scored(words, ["nano_words"], status="infra_failed")
    for _ in range(2):
        ran = lent(*words)
        assert (ran.code, "--skip" in ran.steps[0]) == (3, False)
    assert lent(*words).steps == []


def test_the_plan_is_told_and_nothing_runs(lent, two_batches):
    words = ("--family", "nano", "--workloads", f"{two_batches},scoring,offline,chat")
    ran = lent(*words, "--plan")
    assert (ran.code, ran.steps, lent.results.exists()) == (0, [], False)
    assert "A card of the tests, bfloat16, 57.4 GB for weights and caches" in ran.out
    assert "nano-width-pruned against nano-teacher, two at batch 1" in ran.out
    assert "nano-teacher, offline at batch 1, 2, 4 … " in ran.out
    assert "left out: nano-width-pruned against nano-teacher, chat at batch 1: a request has 640 tokens" in ran.out
    lent(*ALONE, two_batches)
    so_far = [line.split() for line in lent(*ALONE, two_batches, "--plan").out.splitlines() if "two at batch" in line]
    assert [line[-1] for line in so_far] == ["done", "done"]


def test_folders_of_this_machine_are_not_in_the_bundle(lent, two_batches, tmp_path):
    (tmp_path / "secret").mkdir()
    lent(*ALONE, two_batches, "--data", tmp_path / "secret", f"--tokenizer={tmp_path / 'secret'}")
    command = lent.bundle.manifest.command
    assert "--data DIR" in command
    assert "--tokenizer=DIR" in command
    assert "--results DIR" in command
    assert str(tmp_path) not in lent.bundle.manifest.content().decode()


def test_a_task_whose_engine_broke_leaves_its_step_open_and_the_others_scored(lent):
    def one_breaks(words):
        lent.scored(words, ["nano_cloze"])
        return lent.scored(words, ["nano_words"], status="infra_failed")

    words = ("--models", "nano-teacher", "--workloads", "scoring")
    lent.instead = one_breaks
    assert lent(*words).code == 3
    assert lent.outcomes == {"scoring.nano-teacher": ["crashed"]}
    lent.instead = lambda words: lent.scored(words, ["nano_words"])
    ran = lent(*words)
    assert (ran.code, value(ran.steps[0], "--skip")) == (0, "nano_cloze")
    assert lent.rows == [("nano-teacher", "scoring.nano_cloze"), ("nano-teacher", "scoring.nano_words")]


def attempt(valid, *runs):
    return Attempt(began=datetime(2026, 11, 29, tzinfo=UTC), minutes=10, outcome="time up", valid=valid, runs=runs)


def test_the_rows_that_count_are_of_the_attempt_with_most_that_are_valid_the_latest_of_several():
    assert counted_runs(False, ()) == ()
    assert counted_runs(False, (attempt(2, "a", "b"), attempt(1, "c", "d"))) == ("a", "b")
    assert counted_runs(False, (attempt(2, "a", "b"), attempt(2, "c", "d"), attempt(0))) == ("c", "d")
    assert counted_runs(True, (attempt(2, "a"), attempt(0), attempt(1, "c"))) == ("a", "c")
