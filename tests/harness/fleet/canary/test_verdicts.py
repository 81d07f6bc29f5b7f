"""What tonight's speeds say beside those of earlier nights."""

import numpy as np
import pytest
from support.nights_told import blocks, night, series

from harness.fleet.canary.series import NIGHTS_NEEDED
from harness.fleet.canary.verdicts import judge_canary


def speeds(n, seed=0, level=100.0):
    return list(level * np.exp(0.005 * np.random.default_rng(seed).standard_normal(n)))


def judged(tonight, earlier, **more):
    found = judge_canary(tonight, earlier, **more)
    return [finding.kind for finding in found], " ".join(finding.text for finding in found)


def test_a_quiet_night_says_nothing():
    assert judge_canary([blocks((100.2, 100.1))], series(speeds(20))) == []


@pytest.mark.parametrize("nights", [NIGHTS_NEEDED, 20, 60])
def test_a_slow_night_alarms_on_the_first(nights):
    kinds, text = judged([blocks((80.0, 80.0))], series(speeds(nights)))
    assert kinds == ["regressed"]
    assert f"first bad night tonight ({min(nights, 49)} nights against 1" in text
    assert "20." in text or "19." in text


def test_the_alarm_stays_until_it_is_mended_and_says_when_it_began():
    earlier = series([*speeds(15), *speeds(4, 1, 90.0)])
    kinds, text = judged([blocks((90.0, 90.0))], earlier)
    assert kinds == ["regressed"]
    assert "Last good night 2026-11-15 (night-0014), first bad night 2026-11-16 (night-0015)" in text
    assert "regressed" not in judged([blocks((100.0, 100.0))], earlier)[0]


def test_what_changed_in_between_is_named():
    new = {"torch": "2.14.0", "driver": "580.1", "transformers": "5.0", "minizoo": "0.1.0"}
    _, text = judged([blocks((80.0, 80.0), changed_by=new)], series(speeds(20)))
    assert "changed in between: torch 2.13.0 → 2.14.0." in text


def test_small_slow_downs_do_not_alarm_but_a_creeping_one_does():
    least = {"max_slowdown": 0.05}
    assert judged([blocks((97.0, 97.0))], series(speeds(20)), **least)[0] == []
    creeping = [*speeds(10), *speeds(10, 1, 96.5), *speeds(9, 2, 93.0)]
    assert judged([blocks((93.0, 93.0))], series(creeping), **least)[0] == ["regressed"]


def test_a_gain_is_told():
    kinds, text = judged([blocks((120.0, 120.0))], series(speeds(20)))
    assert kinds == ["told"]
    assert "faster" in text


def test_a_machine_that_is_slow_for_both_is_the_platform_on_its_second_night_and_never_a_regression():
    slow = blocks((80.0, 80.0), (40.0, 40.0))
    earlier = series(speeds(20))
    kinds, text = judged([slow], earlier)
    assert kinds == ["told"]
    assert "on one night" in text
    kinds, text = judged([slow], [*earlier, night(20, slow)])
    assert kinds == ["platform"]
    assert "driver, firmware, clocks, cooling" in text


def test_a_night_that_was_slow_once_does_not_accuse_the_good_night_after_it():
    slow = night(20, blocks((60.0, 60.0), (30.0, 30.0)))
    assert judge_canary([blocks((100.0, 100.0))], [*series(speeds(20)), slow]) == []


@pytest.mark.parametrize("earlier", range(NIGHTS_NEEDED))
def test_too_few_nights_are_advisory_and_say_how_many_more(earlier):
    kinds, text = judged([blocks((50.0, 50.0))], series(speeds(earlier)))
    assert kinds == ["told"]
    assert f"{NIGHTS_NEEDED - earlier} more" in text
    assert "advisory" in text


def test_another_gpu_starts_anew_and_is_told():
    kinds, text = judged([blocks((50.0, 50.0), gpu_uuid="GPU-2")], series(speeds(20)))
    assert kinds == ["told"]
    assert "Earlier nights were on GPU-1, with which it is not compared" in text


def test_another_host_without_a_gpu_starts_anew():
    cpu = {"gpu_uuid": None, "device": "EPYC"}
    kinds, text = judged([blocks((50.0, 50.0), host="b", **cpu)], series(speeds(20), **cpu))
    assert kinds == ["told"]
    assert "Earlier nights were on h," in text


def test_another_canary_starts_anew_and_is_told_with_what_changed():
    kinds, text = judged([blocks((50.0, 50.0), canary_pin="new", changed_by={"torch": "3"})], series(speeds(20)))
    assert kinds == ["told"]
    assert "The canary is another one" in text
    assert "torch 2.13.0 → 3" in text


def test_blocks_left_out_are_told_and_a_job_without_any_is_undecided():
    part = blocks((100.0,), (50.0,), left_out=("block 1: the canary's run is invalid (throttled)",))
    kinds, text = judged([part], series(speeds(20)))
    assert kinds == ["told"]
    assert "throttled" in text
    none = blocks((), (), left_out=("block 0: invalid",))
    assert judged([none], series(speeds(20)))[0] == ["undecided"]
    assert judged([none], [])[0] == ["told"]


def test_a_repetition_takes_the_place_of_what_it_repeats():
    slow = blocks((80.0, 80.0))
    again = {"job": "bench-m-recheck", "recheck_of": "bench-m"}
    assert judge_canary([slow, blocks((100.0, 100.0), **again)], series(speeds(20))) == []
    found = judge_canary([slow, blocks((80.0, 80.0), **again)], series(speeds(20)))
    assert [(one.kind, one.about) for one in found] == [("regressed", "bench-m-recheck")]


def test_a_repetition_without_a_block_clears_nothing():
    void = blocks((), (), job="bench-m-recheck", recheck_of="bench-m", left_out=("block 0: invalid",))
    assert "regressed" in judged([blocks((80.0, 80.0)), void], series(speeds(20)))[0]


def test_one_odd_block_of_three_does_not_decide():
    assert judge_canary([blocks((100.0, 20.0, 100.0), (50.0, 50.0, 50.0))], series(speeds(20))) == []


def test_nights_are_taken_in_their_order_whatever_the_list():
    earlier = series([*speeds(15), *speeds(4, 1, 90.0)])
    assert judge_canary([blocks((90.0, 90.0))], earlier[::-1]) == judge_canary([blocks((90.0, 90.0))], earlier)
