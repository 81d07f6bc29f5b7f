"""A speed record that contradicts its own trials, or itself, is told wherever somebody altered it; an honest one never is."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.contributed import changed, codes, outcome_on_gpu, setting, speed_record, told, trials_of
from support.speed_fakes import point

from harness.bundles.plausible import doubts, unchecked
from harness.records.speed_record import Reason, Validity
from harness.speed.compare.pairing import Pairing
from harness.speed.compare.ratios import comparisons_of


@pytest.fixture(scope="module")
def honest():
    """A point measured well below the roofline."""
    return outcome_on_gpu()


def figure(outcome, metric="itl", statistic="p50", **changes):
    return tuple(
        s.model_copy(update=changes) if (s.metric, s.statistic) == (metric, statistic) else s
        for s in outcome.facts.statistics
    )


ALTERED = {
    "a value": (lambda o: {"statistics": figure(o, value=0.0049)}, "first itl p50: 0.0049 (n = 1143) in the record, 0.005"),
    "a number of samples": (lambda o: {"statistics": figure(o, n=1144)}, "1 of "),
    "a figure too many": (lambda o: {"statistics": figure(o, "ttft", "p99", value=0.02)}, "first ttft p99: 0.02"),
    "the trials": (lambda o: {"trials": 99}, "trials: 99 in the record, 9 by its trials"),
    "the seconds": (lambda o: {"seconds": 100.0}, "seconds: 100 in the record"),
    "the batch": (lambda o: {"batch": 8, "point": "128x128.b8"}, "requests of a trial: 8 in the record, 1 by its trials"),
    "the input": (lambda o: {"input_tokens": 256}, "input tokens: 256 in the record, 128 by its trials"),
    "the output": (lambda o: {"output_tokens": 64}, "output tokens: 64 in the record, 128 by its trials"),
    "the name": (lambda o: {"point": "2048x128.b1"}, "it is called 2048x128.b1 (fake.128x128.b1), and by its"),
    "the warm-up": (lambda o: {"warmup_s": (0.1,)}, "the seconds of its warm-up"),
    "an open loop of many trials": (lambda o: {"batch": None, "rate": 2.0}, "arrivals at a rate are one trial, and it has 9"),
    "a batch and a rate": (lambda o: {"rate": 2.0}, "a point has either a batch or a rate"),
    "a verdict beside its reasons": (
        lambda o: {"validity": Validity(valid=True, reasons=(Reason(code="device-lost", text="lost"),))},
        "it is called valid, and states reasons against it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ALTERED)
def test_a_record_altered_by_hand_differs_from_its_trials(honest, what):
    change, words = ALTERED[what]
    record = changed(honest, **change(honest))
    assert set(codes(record, trials_of(honest))) == {"figures-differ"}
    assert words in told(record, trials_of(honest))


def rewritten(outcome, change):
    rows = [change(dict(row)) for row in outcome.rows]
    return pa.Table.from_pylist(rows, schema=trials_of(outcome).schema)


def backwards(row):
    return {**row, "token_s": [*row["token_s"][:-2], row["token_s"][-1], row["token_s"][-2]]}


TABLES = {
    "no table": (lambda o: None, "trials: 9 in the record, 0 by its trials"),
    "no rows": (lambda o: trials_of(o).slice(0, 0), "it is called valid, and has no trials"),
    "a column less": (lambda o: trials_of(o).drop_columns(["token_s"]), "no table of requests and their times"),
    "a column of words": (
        lambda o: trials_of(o).set_column(6, "submit_s", pa.array(["soon"] * len(o.rows))),
        "no table of requests and their times",
    ),
    "a time that is none": (
        lambda o: rewritten(o, lambda row: {**row, "submit_s": float("nan")}), "no table of requests and their times"
    ),
    "a time left out": (lambda o: rewritten(o, lambda row: {**row, "submit_s": None}), "no table of requests"),
    "another phase": (lambda o: rewritten(o, lambda row: {**row, "phase": "party"}), "no table of requests"),
    "requests cut short": (
        lambda o: rewritten(o, lambda row: {**row, "token_s": row["token_s"][:100]}), "requests of its trials ended before"
    ),
    "times that fall": (lambda o: rewritten(o, backwards), "times of its trials do not rise"),
}  # fmt: skip


@pytest.mark.parametrize("what", TABLES)
def test_trials_that_are_none_or_others_are_told_and_never_break(honest, what):
    make, words = TABLES[what]
    assert "figures-differ" in codes(speed_record(honest), make(honest))
    assert words in told(speed_record(honest), make(honest))


@pytest.mark.parametrize(("batch", "dtype"), [(10**400, "bfloat16"), (0, "bfloat16"), (-1, "float32")])
def test_numbers_that_no_point_has_are_told_and_never_break(honest, batch, dtype):
    record = speed_record(honest, speed=honest.facts.model_copy(update={"batch": batch}), setting=setting(dtype=dtype))
    assert "figures-differ" in codes(record, trials_of(honest))
    assert "does not tell the lengths" in unchecked(record)


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_no_stated_value_can_be_altered_unseen(honest, data):
    stated = honest.facts.statistics
    at = data.draw(st.sampled_from([i for i, s in enumerate(stated) if s.value is not None]))
    factor = data.draw(st.floats(0.1, 10).filter(lambda factor: abs(factor - 1) > 1e-6))
    forged = stated[at].model_copy(update={"value": stated[at].value * factor})
    record = changed(honest, statistics=(*stated[:at], forged, *stated[at + 1 :]))
    assert any(
        reason.code == "figures-differ" and forged.metric in reason.text for reason in doubts(record, trials_of(honest))
    )


@given(
    step=st.floats(0.006, 0.05), prefill=st.floats(0.05, 1.0), batch=st.integers(1, 3), output=st.integers(2, 12),
    trials=st.integers(1, 8),
)  # fmt: skip
@settings(max_examples=6, deadline=None)
def test_no_honest_point_is_doubted(step, prefill, batch, output, trials):
    outcome = outcome_on_gpu(step, prefill, batch=batch, shape=(16, output), trials=trials)
    assert doubts(speed_record(outcome), trials_of(outcome)) == ()


@pytest.fixture(scope="module")
def pair():
    """A point and its comparisons with another of twice its time."""
    ours, theirs = outcome_on_gpu(), outcome_on_gpu(step=0.01, prefill=0.04)
    one = point(shape=(128, 128))
    found = comparisons_of(ours, theirs, Pairing(one, one, ("equal batch",), None), ("llama-3.1-8b", "run"), (), 0)
    return ours, tuple(compared.recorded for compared in found)


def test_honest_ratios_raise_no_doubt(pair):
    ours, comparisons = pair
    assert [round(c.ratio, 3) for c in comparisons] == [2.0] * 4
    assert doubts(changed(ours, comparisons=comparisons), trials_of(ours)) == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n": 30}, "is of 30 trials, and there are 9"),
        ({"against_n": 3}, "is of 9 and 3 trials, and 6 of each are needed"),
        ({"ratio": 0.0}, "is 0"),
        ({"ratio": float("inf")}, "is inf"),
        ({"batch": 8}, "is at batch 8, and the point at 1"),
        ({"against_batch": 2}, "is at batch 1 against 2"),
        ({"metric": "charm"}, "is of no metric"),
    ],
)
def test_a_ratio_that_its_own_trials_contradict_is_told(pair, changes, words):
    ours, (first, *rest) = pair
    record = changed(ours, comparisons=(first.model_copy(update=changes), *rest))
    assert words in told(record, trials_of(ours))


def test_a_ratio_is_not_valid_where_its_point_is_not(pair):
    ours, comparisons = pair
    invalid = Validity(valid=False, reasons=(Reason(code="device-lost", text="lost"),))
    record = changed(ours, comparisons=comparisons, validity=invalid)
    assert "is called valid, and the point is not" in told(record, trials_of(ours))
