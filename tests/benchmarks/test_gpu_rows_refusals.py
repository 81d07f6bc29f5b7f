"""What gpu_rows refuses: each with one paragraph, and with nothing changed or left."""

import errno

import pytest
from filelock import FileLock
from support.lent_machine import ALONE, CARD, failed, value

import benchmarks.rows.state as states


def test_rows_of_another_card_dtype_or_rule_are_not_mixed(lent, two_batches):
    lent(*ALONE, two_batches)
    rows = lent.rows
    lent.card = CARD.model_copy(update={"product": "Another card"})
    for changed in ([], ["--dtype", "float16"], ["--trials", "7"]):
        ran = lent(*ALONE, two_batches, *changed)
        assert (ran.code, ran.steps) == (2, [])
        assert "product A card of the tests, now Another card" in ran.err
        assert "take another --results" in ran.err
    assert "dtype bfloat16, now float16" in lent(*ALONE, two_batches, "--dtype", "float16").err
    assert lent.rows == rows


def test_bf16_is_refused_where_the_card_has_none_and_fp16_is_measured(lent, two_batches):
    lent.card = CARD.model_copy(update={"bfloat16": False, "capability": "7.5"})
    ran = lent(*ALONE, two_batches)
    assert (ran.code, ran.steps) == (2, [])
    assert "--dtype float16" in ran.err
    assert not lent.results.exists()
    ran = lent(*ALONE, two_batches, "--dtype", "float16")
    assert (ran.code, [value(words, "--dtype") for words in ran.steps]) == (0, ["float16", "float16"])


def test_on_a_slice_of_a_gpu_it_goes_on_and_says_what_is_missing(lent, two_batches):
    lent.card = CARD.model_copy(update={"mig": True})
    ran = lent(*ALONE, two_batches)
    assert ran.code == 0
    assert "MIG is on" in ran.err
    assert "MIG is on" in lent.bundle.manifest.notes[0]


def test_without_a_gpu_nothing_is_begun_and_nothing_left(lent, two_batches):
    lent.card = failed("device-missing")
    ran = lent(*ALONE, two_batches, device="auto")
    assert (ran.code, ran.steps, ran.err) == (4, [], "minizoo: It went wrong. Mend it.\n")
    assert not lent.results.exists()


def test_a_card_on_which_nothing_fits_is_told_with_what_it_would_take(lent, two_batches):
    lent.card = CARD.model_copy(update={"free": 10**6, "memory": 10**6})
    ran = lent(*ALONE, two_batches)
    assert ran.code == 4
    assert "No step can be run on A card of the tests: nano-teacher, two at batch 1: weights and caches take" in ran.err


def test_two_calls_do_not_work_in_one_folder(lent, two_batches):
    lent.results.mkdir()
    with FileLock(lent.results / "gpu_rows.lock"):
        ran = lent(*ALONE, two_batches)
    assert (ran.code, ran.steps) == (4, [])
    assert "Another gpu_rows works in" in ran.err


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": "minizoo.gpu-rows/2"}', '{"attempts": 7}'])
def test_a_state_that_cannot_be_read_is_refused_with_what_to_do(lent, two_batches, text):
    lent.results.mkdir()
    (lent.results / "gpu_rows.json").write_text(text)
    for more in ([], ["--bundle-only"], ["--plan"]):
        ran = lent(*ALONE, two_batches, *more)
        assert (ran.code, ran.steps) == (2, [])
        assert "gpu_rows.json cannot be read" in ran.err
        assert "Take another --results" in ran.err
    assert (lent.results / "gpu_rows.json").read_text() == text


def test_a_folder_with_other_records_is_refused(lent, two_batches):
    (lent.results / "runs").mkdir(parents=True)
    ran = lent(*ALONE, two_batches)
    assert (ran.code, ran.steps) == (2, [])
    assert "gpu_rows did not make them" in ran.err


def test_a_full_disk_is_told_and_the_rows_that_are_there_are_begun_after(lent, two_batches, monkeypatch):
    whole = states.write_atomically

    def full(path, content):
        if b"two.b2" in content:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(states, "write_atomically", full)
        ran = lent(*ALONE, two_batches)
    assert ran.code == 4
    assert "cannot be written (No space left on device)" in ran.err
    ran = lent(*ALONE, two_batches)
    assert (ran.code, ran.batches) == (0, [2])


def test_there_is_nothing_to_bundle_before_the_first_call(lent):
    ran = lent("--bundle-only")
    assert ran.code == 4
    assert "There is no folder" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("--minutes", "0"),
        ("--minutes", "nan"),
        ("--reference-minutes", "-1"),
        ("--trials", "5"),
        ("--seconds", "-1"),
        ("--workloads", ","),
        ("--data", "nowhere"),
        ("--models", "minitron-5b"),
        ("--workloads", "batch2"),
    ],
)
def test_what_no_step_could_be_run_with_is_refused_first(lent, words):
    ran = lent(*words)
    assert (ran.code, ran.steps, ran.err.count("\n")) == (2, [], 1)
    assert ran.err.startswith("minizoo: ")
    assert not lent.results.exists()
