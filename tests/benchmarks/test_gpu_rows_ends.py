"""How a step of gpu_rows can end, what that costs the others, and when it is begun again."""

import pytest
from support.lent_machine import ALONE, FIRST, SECOND, Finished, Killed, failed, kill, only_at
from support.speed_fakes import FakeBackend, FakeProbe

from zoo.errors import DeviceMemory


def test_a_step_that_crashes_costs_itself_alone_and_is_tried_once_more_in_a_later_call(lent, two_batches):
    broken = Finished(1, "", "Traceback …\nRuntimeError: CUBLAS_STATUS_EXECUTION_FAILED\n")
    lent.instead = only_at(1, lambda words: broken)
    ran = lent(*ALONE, two_batches)
    assert (ran.code, ran.batches, lent.outcomes) == (3, [1, 2], {FIRST: ["crashed"], SECOND: ["done"]})
    assert "crashed in 0 s: RuntimeError: CUBLAS_STATUS_EXECUTION_FAILED\n" in ran.err
    assert "Left to do, by the same command: 1 step" in ran.err
    ran = lent(*ALONE, two_batches)
    assert (ran.code, ran.batches) == (3, [1])
    ran = lent(*ALONE, two_batches)
    assert (ran.code, ran.batches) == (3, [])
    assert "Given up: nano-teacher, two at batch 1." in ran.err
    assert "CUBLAS_STATUS_EXECUTION_FAILED" in ran.err
    assert "crashed: nano-teacher, two at batch 1" in lent.bundle.manifest.notes
    assert "CUBLAS" not in str(lent.bundle.manifest)


def test_a_step_that_kills_the_call_each_time_is_left_after_three(lent, two_batches):
    lent.instead = only_at(1, kill)
    for _ in range(3):
        with pytest.raises(Killed):
            lent(*ALONE, two_batches)
    ran = lent(*ALONE, two_batches)
    assert (ran.code, ran.batches) == (3, [2])
    assert "Given up: nano-teacher, two at batch 1." in ran.err


def test_out_of_memory_in_the_middle_is_a_failed_row_and_the_rest_goes_on(lent, two_batches):
    lent.backend = lambda name: FakeBackend(lent.hand, room_limit=1)
    ran = lent(*ALONE, two_batches)
    assert (ran.code, lent.outcomes) == (0, {FIRST: ["done"], SECOND: ["does not fit"]})
    assert "2 rows (1 valid, 1 failed)" in ran.out
    assert "out of memory: tried to allocate slots for 2" in ran.err
    assert lent(*ALONE, two_batches).steps == []


def test_a_pair_that_fits_at_equal_batch_alone_is_done(lent):
    lent.backend = lambda name: FakeBackend(lent.hand, room_limit=1)
    ran = lent("--models", "nano-depth-pruned", "--workloads", "batch1")
    assert ran.code == 0, ran.err
    assert "4 rows (2 valid, 2 failed)" in ran.out


def test_a_model_that_does_not_load_has_no_row_and_the_bundle_says_so(lent, two_batches):
    def opened(name):
        raise DeviceMemory("It does not fit.", "Take less.")

    lent.backend = opened
    lent.instead = only_at(2, lambda words: setattr(lent, "backend", lambda name: FakeBackend(lent.hand)))
    ran = lent(*ALONE, two_batches)
    assert (ran.code, lent.outcomes) == (0, {FIRST: ["does not fit"], SECOND: ["done"]})
    assert lent.bundle.manifest.notes == ("does not fit: nano-teacher, two at batch 1",)


def test_a_busy_machine_ends_the_call_and_the_step_is_begun_again_when_it_is_quiet(lent, two_batches):
    busy = FakeProbe(lent.hand, interval=0.5, now={"others_busy": 1.9})
    lent.instead = only_at(2, lambda words: setattr(lent, "probe", busy))
    ran = lent(*ALONE, two_batches, "--workloads", f"{two_batches},batch1")
    assert (ran.code, ran.batches) == (3, [1, 2])
    assert lent.outcomes == {FIRST: ["done"], SECOND: ["busy"]}
    assert (
        "Ended: other processes kept 1.90 of ? processors busy, so no row would be valid. Free the machine" in ran.err
    )
    lent.instead, lent.probe = lambda words: None, FakeProbe(lent.hand)
    ran = lent(*ALONE, two_batches)
    assert (ran.code, ran.batches) == (0, [2])
    assert len(lent.rows) == 2


def test_other_processes_on_the_gpu_end_it_as_well_and_even_if_busy_measures_on(lent, two_batches):
    lent.probe = FakeProbe(lent.hand, interval=0.5, now={"other_processes": 1})
    ran = lent(*ALONE, two_batches)
    assert (ran.code, ran.batches) == (3, [1])
    assert "1 other process on the GPU" in ran.err
    ran = lent(*ALONE, two_batches, "--even-if-busy")
    assert (ran.code, ran.batches, lent.outcomes[SECOND]) == (3, [2], ["busy"])
    assert "2 rows (2 invalid)" in ran.out
    assert lent(*ALONE, two_batches).batches == [1]


def test_the_time_is_up_in_the_middle_of_a_point_and_it_is_begun_again_with_more(lent, two_batches):
    lent.backend = lambda name: FakeBackend(lent.hand, prefill=50.0, step=0.001)  # a point takes nine times as long
    ran = lent(*ALONE, two_batches)
    assert (ran.code, ran.batches, lent.outcomes) == (3, [1, 2], {FIRST: ["done"], SECOND: ["time up"]})
    assert "2 rows (1 valid, 1 invalid)" in ran.out
    assert "Left to do, by the same command: 1 step" in ran.err
    ran = lent(*ALONE, two_batches)
    assert (ran.code, ran.batches, lent.outcomes[SECOND]) == (0, [2], ["time up", "done"])
    assert "2 rows (2 valid)" in ran.out


def test_a_step_that_takes_longer_than_a_call_does_not_keep_the_others_from_theirs(lent, two_batches):
    lent.backend = lambda name: FakeBackend(lent.hand, prefill=lambda n: slow[0], step=0.001)
    slow = [90.0]
    assert lent(*ALONE, two_batches).batches == [1]
    slow[0] = 1.0
    ran = lent(*ALONE, two_batches)
    assert (ran.code, ran.batches) == (3, [2])
    assert "two at batch 1: not begun, for 10.0 minutes were not enough before" in ran.err
    assert "nano-teacher, two at batch 1 is not whole after 10 minutes: give more, as --minutes 20." in ran.err
    ran = lent(*ALONE, two_batches, "--minutes", "20")
    assert (ran.code, ran.batches) == (0, [1])


def test_no_step_begins_with_less_than_half_a_minute(lent, two_batches):
    ran = lent(*ALONE, two_batches, "--minutes", "0.49")
    assert (ran.code, ran.steps, ran.out) == (3, [], "")
    assert "No row yet, so there is no bundle." in ran.err


@pytest.mark.parametrize("code", ["not-writable", "device-lost", "device-missing"])
def test_what_would_stop_every_other_step_stops_the_call(lent, two_batches, code):
    lent.instead = only_at(2, lambda words: failed(code))
    ran = lent(*ALONE, two_batches)
    assert (ran.code, ran.batches, lent.outcomes) == (4, [1, 2], {FIRST: ["done"], SECOND: ["stopped"]})
    assert ran.err.splitlines()[-1] == "minizoo: It went wrong. Mend it."
    assert len(lent.rows) == 1
    lent.instead = lambda words: None
    assert lent(*ALONE, two_batches).batches == [2]


def test_ctrl_c_keeps_what_is_there_and_says_so(lent, two_batches):
    def interrupt(words):
        raise KeyboardInterrupt

    lent.instead = only_at(2, interrupt)
    ran = lent(*ALONE, two_batches)
    assert (ran.code, lent.outcomes) == (130, {FIRST: ["done"], SECOND: ["stopped"]})
    assert f"minizoo: Interrupted. Rows that have their record are kept in {lent.results}" in ran.err
    assert "--bundle-only" in ran.err
    lent.instead = lambda words: None
    ran = lent(*ALONE, two_batches, "--bundle-only")
    assert (ran.code, ran.steps, len(lent.rows)) == (3, [], 1)
    assert "--bundle-only" not in lent.bundle.manifest.command
    assert lent(*ALONE, two_batches).batches == [2]
    assert lent("--bundle-only").code == 0
