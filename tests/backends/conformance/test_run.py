"""What a run of the checks promises: every check answered for, an outcome that travels, skips with a reason."""

import json
import math
from dataclasses import replace

import pytest
from support.faulty_engines import Engine

from backends.conformance import run
from backends.conformance.key import Key, key_of
from backends.conformance.outcome import CheckOutcome, Fail, Outcome, Skip, passed
from backends.conformance.reference import plain_reference
from backends.conformance.run import run_checks
from backends.conformance.table import CHECKS, Check
from backends.contract import OutOfMemory
from zoo.errors import DeviceLost, DeviceMemory, TokenizerUnreadable, UnsupportedRequest

KEY = Key("hf", "torch 2", "cpu", "float32", "LlamaForCausalLM")


def raising(error):
    def ask(subject):
        raise error

    return ask


def with_checks(monkeypatch, *asks):
    monkeypatch.setattr(run, "CHECKS", tuple(Check(f"check-{i}", ask, "score", True) for i, ask in enumerate(asks)))


def test_a_short_run_passes_and_asks_what_is_short(hf, teacher):
    told = []
    outcome = run_checks(hf, teacher, plain_reference(teacher), depth="short", watch=told.append)
    assert outcome.passed
    assert told == [one.check for one in outcome.checks] == [check.name for check in CHECKS if check.short]


def test_without_a_reference_what_needs_it_is_skipped_with_the_reason(hf, teacher, monkeypatch):
    some = ("alignment", "exactly-chance", "order", "greedy-flags", "agreement", "generation")
    monkeypatch.setattr(run, "CHECKS", tuple(check for check in CHECKS if check.name in some))
    outcome = run_checks(hf, teacher, None, depth="short")
    skipped = {one.check: one.said for one in outcome.checks if one.verdict == "skip"}
    assert set(skipped) == {"alignment", "agreement", "greedy-flags", "generation"}
    assert "no fp32 transformers model" in skipped["agreement"]
    assert outcome.passed


def test_a_reference_that_cannot_be_opened_is_said(hf, teacher, monkeypatch):
    monkeypatch.setattr(run, "CHECKS", tuple(check for check in CHECKS if check.name == "agreement"))

    def opener():
        raise DeviceMemory("It does not fit.", "Use a larger machine.")

    outcome = run_checks(hf, teacher, opener, depth="short")
    assert "It does not fit." in outcome.checks[0].said


def test_a_reference_that_breaks_off_says_nothing_about_the_backend(hf, teacher, monkeypatch):
    monkeypatch.setattr(run, "CHECKS", tuple(check for check in CHECKS if check.name == "alignment"))

    class Broken(Engine):
        def distributions(self, sequences, asked):
            raise RuntimeError("its own code")

    (one,) = run_checks(hf, teacher, lambda: Broken(hf)).checks
    assert one.verdict == "skip"
    assert "its own code" in one.said


@pytest.mark.parametrize(
    ("error", "verdict", "words"),
    [
        (Fail("wrong", apart=1.5), "fail", "wrong"),
        (Skip("not here"), "skip", "not here"),
        (OutOfMemory("17 GiB"), "skip", "17 GiB"),
        (TokenizerUnreadable("No tokenizer.", "Give one."), "skip", "No tokenizer."),
        (KeyError(7), "fail", "it raised KeyError"),
        (UnsupportedRequest("No.", "Use hf."), "fail", "UnsupportedRequest"),
    ],
)
def test_what_is_raised_in_a_check_becomes_its_verdict(hf, teacher, monkeypatch, error, verdict, words):
    with_checks(monkeypatch, raising(error))
    (one,) = run_checks(hf, teacher, None).checks
    assert one.verdict == verdict
    assert words in one.said


def test_a_device_that_falls_away_is_no_verdict(hf, teacher, monkeypatch):
    with_checks(monkeypatch, raising(DeviceLost("gone")))
    with pytest.raises(DeviceLost):
        run_checks(hf, teacher, None)


def test_what_a_failed_check_left_dead_is_a_failure(hf, teacher, monkeypatch):
    with_checks(monkeypatch, raising(Fail("it died of an id")), raising(DeviceLost("gone")))
    assert [one.verdict for one in run_checks(hf, teacher, None).checks] == ["fail", "fail"]


def test_what_a_backend_cannot_do_is_not_asked(hf, teacher):
    engine = Engine(hf)
    engine.capabilities = replace(hf.capabilities, score=False, generate=False, stream=False)
    outcome = run_checks(engine, teacher, None)
    assert {one.verdict for one in outcome.checks} == {"skip"}
    assert not outcome.passed


def test_an_outcome_travels_as_json():
    checks = (
        CheckOutcome("agreement", "fail", {"largest": math.nan, "tokens": 3, "how": "packed"}, "wrong"),
        CheckOutcome("order", "pass", passed("", share=0.5).figures, ""),
    )
    outcome = Outcome(KEY, checks, "full", "nano-teacher")
    text = json.dumps(outcome.to_dict(), allow_nan=False)
    back = Outcome.from_dict(json.loads(text))
    assert back.checks[0].figures == {"largest": "nan", "tokens": 3, "how": "packed"}
    assert (back.key, back.depth, back.model, back.checks[1]) == (KEY, "full", "nano-teacher", checks[1])
    assert not back.passed
    assert [one.check for one in back.failed()] == ["agreement"]


def test_a_key_names_what_computes(hf, teacher):
    key = key_of(hf, teacher)
    assert key.backend == "hf"
    assert [words.split()[0] for words in key.engine.split(", ")] == ["torch", "transformers"]
    assert (key.device, key.dtype, key.architecture) == ("cpu", "float32", "LlamaForCausalLM")


def test_a_key_of_an_unknown_backend_has_every_version_and_no_note(hf, teacher):
    engine = Engine(hf)
    engine.versions = {"engine": "1.2.3+cpu", "torch": "2.13.0", "scoring": "packed", "weights": "random, seed 0"}
    assert key_of(engine, teacher).engine == "engine 1.2.3, torch 2.13.0"


def test_checks_have_names_of_their_own_and_a_promise():
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(check.promise for check in CHECKS)
