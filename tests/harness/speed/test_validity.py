"""Validity: every circumstance that spoils a measurement is a reason, every one that only colours it a note."""

import pytest
from support.speed_fakes import FakeProbe, Hand, fake_bench, measured

from harness.speed.probes.telemetry import DeviceLost
from harness.speed.validity import Evidence, judge

STEADY = {"clock_events": 0, "other_processes": 0, "ecc_uncorrected": 3, "sm_mhz": 1400, "others_busy": 0.01}


def row(tokens=5, wanted=5, start=0.0):
    return {"submit_s": start, "token_s": [start + 1.0 + i for i in range(tokens)], "wanted_tokens": wanted}


def verdict(samples=(STEADY,) * 10, rows=None, facts=None, **words):
    fields = {"device": "cuda:0", "rows": [row()] * 9 if rows is None else rows, "settled": True, "warmups": 3}
    return judge(Evidence(**{**fields, "samples": samples, "facts": facts or {"processors": 2}, **words}))


def with_last(**changed):
    return (*[STEADY] * 9, {**STEADY, **changed})


def test_a_quiet_machine_gives_a_valid_result():
    assert verdict().valid
    assert verdict().notes == ()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"rows": []}, "nothing was measured"),
        ({"rows": [row(), row(tokens=3)]}, "output length not reached: 1 of 2 requests, the first with 3 of 5 tokens"),
        ({"rows": [{**row(), "token_s": [1.0, 2.0, 1.5, 3.0, 4.0]}]}, "the clock went backwards"),
        ({"rows": [row(start=-0.0), {**row(), "submit_s": 9.0}]}, "the clock went backwards"),
        ({"settled": False, "warmups": 12}, "the warm-up had not settled after 12 trials"),
        ({"samples": with_last(clock_events=0x08)}, "clocks were held down: hardware slow-down"),
        ({"samples": with_last(clock_events=0x20)}, "clocks were held down: software thermal slow-down"),
        ({"samples": with_last(clock_events=0x44)}, "clocks were held down: hardware thermal slow-down"),
        ({"samples": with_last(clock_events=0x80)}, "clocks were held down: power brake"),
        ({"samples": with_last(other_processes=1)}, "1 other process on the GPU"),
        ({"samples": with_last(other_processes=2)}, "2 other processes on the GPU"),
        ({"samples": with_last(ecc_uncorrected=4)}, "uncorrected memory errors occurred"),
        ({"samples": with_last(others_busy=2.0)}, "other processes kept 0.23 of 2 processors busy"),
        ({"samples": [{**STEADY, "sm_mhz": 1400 - 30 * i} for i in range(10)]}, "the clock fell from 1385 to 1145 MHz"),
        ({"facts": {"telemetry": "NVML: Driver Not Loaded"}}, "no telemetry (NVML: Driver Not Loaded)"),
        ({"samples": [{}]}, "the GPU does not tell its clock events"),
        ({"lost": "GPU is lost"}, "the device stopped answering (GPU is lost)"),
        ({"facts": {"power_limit_w": 400.0}, "facts_after": {"power_limit_w": 300.0}},
         "power_limit_w changed from 400.0 to 300.0 meanwhile"),
    ],
)  # fmt: skip
def test_what_spoils_a_measurement_makes_it_invalid(words, reason):
    found = verdict(**words)
    assert not found.valid
    assert len(found.reasons) == 1
    assert found.reasons[0].startswith(reason)


@pytest.mark.parametrize(
    ("words", "note"),
    [
        ({"samples": with_last(clock_events=0x04)}, "power-capped"),
        ({"weights": "random"}, "random weights"),
        ({"device": "cpu", "samples": [{}]}, "this system does not tell what other processes did"),
        ({"facts": {"mig": True}}, "MIG is on"),
        ({"facts": {"persistence": False}}, "persistence mode is off"),
        ({"rate": 100.0, "rows": [row(), row(tokens=5), {**row(), "token_s": [1.0, 2, 3, 4, 50]}]}, "100 requests/s are more"),
        ({"refused": [("ttft", "p99 needs 299"), ("e2e", "p99 needs 299")]}, "p99 needs 299 (ttft, e2e)"),
    ],
)  # fmt: skip
def test_what_only_colours_a_measurement_is_a_note(words, note):
    found = verdict(**words)
    assert found.valid
    assert len(found.notes) == 1
    assert found.notes[0].startswith(note)


def test_idle_and_application_clock_bits_are_no_slow_down():
    assert verdict(samples=with_last(clock_events=0x01 | 0x02 | 0x10 | 0x100)).valid


def test_a_power_cap_excuses_a_falling_clock():
    samples = [{**STEADY, "clock_events": 0x04, "sm_mhz": 1400 - 50 * i} for i in range(10)]
    assert verdict(samples=samples).valid


def test_an_output_that_falls_short_is_measured_and_invalid():
    found = measured(fake_bench(tokens=3)).facts
    assert found.validity.reasons == ("output length not reached: 9 of 9 requests, the first with 3 of 5 tokens",)


def test_a_backend_that_yields_nothing_ends_and_is_invalid():
    class Mute(type(fake_bench().backend)):
        def stream(self, feed, room, length, clock):
            while feed.take(room, True) is not None:
                pass
            return iter(())

    bench = fake_bench()
    bench.backend.__class__ = Mute
    found = measured(bench).facts
    assert found.statistics == ()
    assert any(reason.startswith("output length not reached") for reason in found.validity.reasons)


@pytest.mark.parametrize(("step", "reason"), [(-0.125, "the clock went backwards"), (0.0, "the clock stood still")])
def test_a_clock_that_does_not_go_forward_ends_and_is_told(step, reason):
    found = measured(fake_bench(prefill=0.0, step=step), seconds=10.0).facts
    assert found.trials == 9
    assert reason in found.validity.reasons


def test_a_device_that_is_lost_meanwhile_invalidates_what_was_measured():
    class Lost(FakeProbe):
        asked = 0

        def sample(self):
            self.asked += 1
            if self.asked > 1:
                raise DeviceLost("GPU is lost")
            return {}

    hand = Hand()
    found = measured(fake_bench(hand, Lost(hand))).facts
    assert found.validity.reasons == ("the device stopped answering (GPU is lost)",)
    assert found.statistics


def test_a_probe_that_breaks_is_told_and_does_not_end_the_measurement():
    class Broken(FakeProbe):
        def sample(self):
            raise ValueError("not a number")

    hand = Hand()
    found = measured(fake_bench(hand, Broken(hand))).facts
    assert found.validity.reasons == ("the device stopped answering (ValueError: not a number)",)


def test_settings_that_change_during_a_measurement_invalidate_it():
    class Moved(FakeProbe):
        def facts(self):
            self.watts += 1
            return {"power_limit_w": self.watts}

    hand = Hand()
    (reason,) = measured(fake_bench(hand, Moved(hand))).facts.validity.reasons
    assert "power_limit_w changed" in reason
