"""Every check on the right layout of each family; every planted fault caught by a check that is named, or refused in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.fake_trtllm import faults
from support.fake_trtllm.local import installed, opened, options_for

from backends.conformance.checks import closing
from backends.conformance.outcome import CheckOutcome
from backends.conformance.run import outcome_of, run_checks
from backends.conformance.sequences import Sequences
from backends.conformance.subject import Subject
from backends.conformance.table import CHECKS
from zoo.checkpoint.locate import Checkpoint

BY_NAME = {check.name: check for check in CHECKS}
SKIPPED = {"seeds"}
"""Drawn text is refused, so there are no seeds to ask about."""
CAUGHT = {
    faults.RowsOneLate: "alignment",
    faults.ReuseKeepsStaleRows: "same-call-twice",
    faults.CutsPromptsUnsaid: "agreement",
    faults.Warm: "agreement",
    faults.SecondBest: "generation",
    faults.SkipsTokens: "streaming",
    faults.LeavesThread: "closing",
}
"""The fault → the check that must fail."""
REFUSED = {
    faults.RowsOfTheirToken: "lacks the token",
    faults.ReuseDropsRows: "rows of a prompt of 40 tokens",
    faults.CutsPrompts: "that is not the one of 40",
    faults.LacksTokens: "lacks the token",
    faults.LogitsOfBefore: "shifted",
    faults.NoLogits: "gave logits of none",
    faults.Swapped: "that is not the one",
    faults.Lost: "answered 1 of 2 prompts",
    faults.EndsEarly: "ended a text of itself after 3 of 9 tokens",
    faults.SaysAgain: "told 1 rows of 2 new tokens",
}
"""The fault → part of what the worker says when it will not give an answer."""
OF_TEXT = (faults.EndsEarly, faults.SaysAgain)


def asked_of(subject: Subject, backend: Any, name: str, reopen: Any = None) -> CheckOutcome:
    sequences = Sequences(backend, subject.checkpoint)
    own = replace(subject, backend=backend, sequences=sequences, reopen=reopen, short=True)
    return outcome_of(BY_NAME[name], own, already_failed=True)


@pytest.mark.parametrize("family", ["1.3", "1.4"])
def test_every_check_passes_on_the_right_layout(nano: Checkpoint, numbers: Any, known: Subject, family: str):
    with installed(numbers, family) as module:
        backend = opened(module, nano)
        borrowed: Any = Borrowed(known.known.backend())
        outcome = run_checks(backend, nano, lambda: borrowed, reopen=lambda: opened(module, nano))
        backend.close()
    verdicts = {one.check: (one.verdict, one.said) for one in outcome.checks if one.verdict != "pass"}
    assert set(verdicts) == SKIPPED, verdicts
    assert verdicts["seeds"][0] == "skip"


class Borrowed:
    """The reference of all tests, which `run_checks` must not close."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("fault", CAUGHT, ids=lambda fault: fault.__name__)
def test_a_fault_of_the_engine_is_caught_by_its_check(
    nano: Checkpoint, numbers: Any, known: Subject, fault: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(closing, "PATIENCE_S", 0.1)
    planted = fault()
    with installed(numbers, fault=planted) as module:
        backend = opened(module, nano)
        outcome = asked_of(known, backend, CAUGHT[fault], lambda: opened(module, nano))
        backend.close()
    if isinstance(planted, faults.LeavesThread):
        planted.over.set()
    assert outcome.verdict == "fail", outcome.said


@pytest.mark.parametrize("fault", REFUSED, ids=lambda fault: fault.__name__)
def test_a_fault_that_shows_in_the_answer_itself_is_refused(nano: Checkpoint, numbers: Any, fault: Any):
    prompts = [list(range(20 + n, 60 + n)) for n in range(2)]
    scores = [{"index": n, "context": one[:-3], "continuation": [*one[-3:], 5]} for n, one in enumerate(prompts)]
    with installed(numbers) as module:
        engine = module.Engine(str(nano.folder), options_for(nano))
        type(engine._llm).fault = fault()
        text = [{"index": 0, "prompt": prompts[0], "max_new_tokens": 9}]
        answers = engine.generate(text) if fault in OF_TEXT else engine.score(scores)
        with pytest.raises(Exception, match=REFUSED[fault]) as refused:
            list(answers)
        assert refused.value.kind == "engine"  # pyright: ignore[reportAttributeAccessIssue]
        engine.close()


def test_faults_have_a_test_each():
    own = {kind for kind in vars(faults).values() if isinstance(kind, type) and issubclass(kind, faults.Fault)}
    assert own - {faults.Fault, faults.OutOfMemory} == {*CAUGHT, *REFUSED}
