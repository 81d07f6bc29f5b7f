"""Validity: every circumstance that spoils a measurement is a reason, every one that only colours it a note."""

import pytest
from support.contributed import outcome_on_gpu
from support.paths import ROOT
from support.speed_fakes import FakeProbe, Hand, fake_system, measured

from harness.nvml import DeviceGone
from harness.records.reason_codes import INVALID, NOTES, code_of_sentence
from harness.records.speed_record import Validity
from harness.speed.trials.early_end import Limits
from harness.speed.validity import ANNOTATIONS, CHECKS, Evidence, judge

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


SPOILS = [
    ("nothing-measured", {"rows": []}),
    ("output-short", {"rows": [row(), row(tokens=3)]}),
    ("clock-backwards", {"rows": [{**row(), "token_s": [1.0, 2.0, 1.5, 3.0, 4.0]}]}),
    ("clock-backwards", {"rows": [row(start=-0.0), {**row(), "submit_s": 9.0}]}),
    ("clock-stopped", {"rows": [{**row(), "token_s": [0.0] * 5}]}),
    ("warmup-unsettled", {"settled": False, "warmups": 12}),
    ("clocks-throttled", {"samples": with_last(clock_events=0x08)}),
    ("clocks-throttled", {"samples": with_last(clock_events=0x20)}),
    ("clocks-throttled", {"samples": with_last(clock_events=0x44)}),
    ("clocks-throttled", {"samples": with_last(clock_events=0x80)}),
    ("other-gpu-processes", {"samples": with_last(other_processes=1)}),
    ("machine-busy", {"samples": with_last(others_busy=2.0)}),
    ("time-limit", {"ended": Limits(deadline=0.0).time_up(1.0), "trials": 2, "least_trials": 9}),
    ("memory-errors", {"samples": with_last(ecc_uncorrected=4)}),
    ("clock-drift", {"samples": [{**STEADY, "sm_mhz": 1400 - 30 * i} for i in range(10)]}),
    ("settings-changed", {"facts": {"power_limit_w": 400.0}, "facts_after": {"power_limit_w": 300.0}}),
    ("no-telemetry", {"facts": {"telemetry": "NVML: Driver Not Loaded"}}),
    ("no-telemetry", {"samples": [{}]}),
    ("decode-fallback", {"decode": "fallback: torch, since its step was not compiled: there is no g++ here"}),
    ("device-lost", {"lost": "GPU is lost"}),
    (
        "above-roofline",
        {"above_roofline": ["faster than the roofline: ITL (p50) of 0.001 s, where an L4 allows at least 2"]},
    ),
]
COLOURS = [
    ("power-capped", {"samples": with_last(clock_events=0x04)}),
    ("random-weights", {"weights": "random"}),
    ("plain-decode", {"how": "plain, since its attention takes s_aux"}),
    ("no-process-telemetry", {"device": "cpu", "samples": [{}]}),
    ("mig-enabled", {"facts": {"mig": True}}),
    ("persistence-off", {"facts": {"persistence": False}}),
    ("overloaded", {"rate": 100.0, "rows": [row(), row(tokens=5), {**row(), "token_s": [1.0, 2, 3, 4, 50]}]}),
    ("percentiles-refused", {"refused": [("ttft", "p99 needs 299"), ("e2e", "p99 needs 299")]}),
]


@pytest.mark.parametrize(("code", "words"), SPOILS)
def test_what_spoils_a_measurement_makes_it_invalid(code, words):
    found = verdict(**words)
    assert not found.valid
    assert [reason.code for reason in found.reasons] == [code]


@pytest.mark.parametrize(("code", "words"), COLOURS)
def test_what_only_colours_a_measurement_is_a_note(code, words):
    found = verdict(**words)
    assert found.valid
    assert [note.code for note in found.notes] == [code]


def test_every_check_has_a_case_here_and_a_code_that_is_explained():
    assert {code for code, _ in SPOILS} == set(CHECKS) <= set(INVALID)
    assert {code for code, _ in COLOURS} == set(ANNOTATIONS) <= set(NOTES)


def test_the_documentation_lists_every_code():
    text = (ROOT / "docs" / "performance.md").read_text("utf-8")
    listed = [f"| `{code}` | {meaning} |" for table in (INVALID, NOTES) for code, meaning in table.items()]
    assert [line for line in listed if line not in text] == []


def test_figures_stand_in_the_text_of_a_reason():
    assert [
        verdict(**words).reasons[0].text
        for words in (
            {"rows": [row(), row(tokens=3)]}, {"samples": with_last(others_busy=2.0)},
            {"samples": [{**STEADY, "sm_mhz": 1400 - 30 * i} for i in range(10)]},
        )
    ] == [
        "output length not reached: 1 of 2 requests, the first with 3 of 5 tokens",
        "other processes kept 0.23 of 2 processors busy",
        "the clock fell from 1385 to 1145 MHz",
    ]  # fmt: skip


@pytest.mark.parametrize(("code", "words"), SPOILS + COLOURS)
def test_sentences_of_records_without_codes_are_recognised(code, words):
    """The sentences have not changed since, so those of today stand for them."""
    if code != "percentiles-refused":  # refused by a sentence of its own, below
        found = [*verdict(**words).reasons, *verdict(**words).notes]
        old = Validity.model_validate({"valid": False, "reasons": [reason.text for reason in found]})
        assert old.reasons == tuple(found)


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("p99 needs 299 samples at 95 % (459 at 99 %), there are 6 (ttft, e2e)", "percentiles-refused"),
        ("out of memory: tried to allocate slots for 16", "device-memory"),
        ("RuntimeError: CUDA error: unspecified launch failure", "backend-broke"),
        ("imported from aiperf: clocks, throttling, other processes and warm-up were not watched", "not-watched"),
        ("3 of 403 requests failed", "requests-failed"),
        ("a sentence of nobody", "unspecified"),
    ],
)
def test_other_old_sentences_are_recognised_too(sentence, code):
    assert code_of_sentence(sentence) == code


def test_idle_and_application_clock_bits_are_no_slow_down():
    assert verdict(samples=with_last(clock_events=0x01 | 0x02 | 0x10 | 0x100)).valid


def test_a_power_cap_excuses_a_falling_clock():
    samples = [{**STEADY, "clock_events": 0x04, "sm_mhz": 1400 - 50 * i} for i in range(10)]
    assert verdict(samples=samples).valid


def codes(outcome):
    return [reason.code for reason in outcome.facts.validity.reasons]


def test_an_output_that_falls_short_is_measured_and_invalid():
    assert codes(measured(fake_system(tokens=3))) == ["output-short"]


def test_a_backend_that_yields_nothing_ends_and_is_invalid():
    class Mute(type(fake_system().backend)):
        def stream(self, feed, room, length, clock):
            while feed.take(room, True) is not None:
                pass
            return iter(())

    system = fake_system()
    system.backend.__class__ = Mute
    found = measured(system)
    assert found.statistics == ()
    assert "output-short" in codes(found)


@pytest.mark.parametrize(("step", "code"), [(-0.125, "clock-backwards"), (0.0, "clock-stopped")])
def test_a_clock_that_does_not_go_forward_ends_and_is_told(step, code):
    found = measured(fake_system(prefill=0.0, step=step), seconds=10.0)
    assert found.facts.trials == 9
    assert code in codes(found)


@pytest.mark.parametrize(("share", "valid"), [(1 / 0.99, True), (1 / 1.09, True), (1 / 1.17, False)])
def test_a_step_that_beats_the_data_sheet_is_invalid_for_its_clock_or_its_model_is_wrong(share, valid):
    """Of the step's 15.03 GB 0.256 may lie in a cache and a tenth is granted: 89 % of its roofline is the least believed."""
    found = outcome_on_gpu(step=share * 15_034_892_288 / 3350e9)
    assert found.facts.validity.valid == valid
    assert set(codes(found)) == (set() if valid else {"above-roofline"})


def test_a_clock_that_stops_on_a_gpu_is_no_speed():
    found = outcome_on_gpu(step=0.0, prefill=0.0)
    assert {"clock-stopped", "above-roofline"} <= set(codes(found))


def test_without_a_data_sheet_no_step_is_known_to_be_too_fast():
    assert codes(outcome_on_gpu(step=1e-6, about={"product": "NVIDIA Z1", "capability": "9.0"})) == []
    assert codes(outcome_on_gpu(step=1e-6, device="cpu", about={"product": "AMD EPYC"})) == []


def test_a_device_that_is_lost_meanwhile_invalidates_what_was_measured():
    class Lost(FakeProbe):
        asked = 0

        def sample(self):
            self.asked += 1
            if self.asked > 1:
                raise DeviceGone("GPU is lost")
            return {}

    hand = Hand()
    found = measured(fake_system(hand, Lost(hand)))
    assert codes(found) == ["device-lost"]
    assert found.statistics


def test_a_probe_that_breaks_is_told_and_does_not_end_the_measurement():
    class Broken(FakeProbe):
        def sample(self):
            raise ValueError("not a number")

    hand = Hand()
    found = measured(fake_system(hand, Broken(hand)))
    assert [reason.text for reason in found.facts.validity.reasons] == [
        "the device stopped answering (ValueError: not a number)"
    ]


def test_settings_that_change_during_a_measurement_invalidate_it():
    class Moved(FakeProbe):
        def facts(self):
            self.watts += 1
            return {"power_limit_w": self.watts}

    hand = Hand()
    assert codes(measured(fake_system(hand, Moved(hand)))) == ["settings-changed"]
