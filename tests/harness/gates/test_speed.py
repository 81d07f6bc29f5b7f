"""Speed rows: trials taken in turn, or other tools' files; anything else is missing, with what to run."""

import math

import numpy as np
import pytest
from support.compared import subject
from support.gated import ALPHA, side
from support.records import record

from harness.gates.gate import gate_pairs
from harness.gates.policy import Policy, SpeedEntry
from harness.records.record import Imported
from harness.records.speed_record import Reason, SpeedComparison, SpeedFacts, Statistic, Validity

VALID = Validity(valid=True)
RNG = np.random.default_rng(5)


def point(model, run, against=None, batch=1, mode="equal batch", validity=VALID, **changes):
    facts = SpeedFacts(
        workload="chat", point=f"512x128.b{batch}", batch=batch, validity=validity, comparisons=_with(against, batch, mode),
        **{name: changes.pop(name) for name in ("statistics", "weights") if name in changes},
    )  # fmt: skip
    task = f"chat.{facts.point}"
    return record(task, run_id=run, subject=subject(model), counts=None, scores=(), speed=facts, **changes)


def _with(run, batch, mode):
    if run is None:
        return ()
    fields = {"against": "old", "mode": mode, "batch": batch, "against_batch": 1, "memory_budget": None}
    return (
        SpeedComparison(
            against_run_id=run, metric="output_rate", ratio=1.0, n=12, against_n=12, seed=0, valid=True, **fields
        ),
    )


def gate(a, b, values=None, alpha=ALPHA, **entry):
    """The one verdict; `values`: run → its trials."""
    asked = SpeedEntry(**{"workload": "chat", "tier": "critical", "ask": ("detect", "release")} | entry)
    sides = side("old", speed=tuple(a)), side("new", speed=tuple(b))
    policy = Policy(name="speeds", alpha=alpha, speed=(asked,))
    outcome = gate_pairs(policy, [sides], trials_of=lambda record, _: (values or {})[record.run_id])
    (one,) = outcome.verdicts
    return one


def trials(slowdown, n=12, noise=0.003):
    """Trials in turn on a machine that drifts, the candidate slower by a share."""
    drift = np.exp(np.cumsum(RNG.normal(0, 0.02, n)))
    old, new = (100 * drift * np.exp(RNG.normal(0, noise, n)) for _ in "ab")
    return {"a": list(old), "b": list(new * (1 - slowdown))}


def measured(values, **entry):
    return gate([point("old", "a")], [point("new", "b", against="a")], values, **entry)


@pytest.mark.parametrize(
    ("slowdown", "status"), [(0.0, "PASS"), (0.03, "REGRESSED"), (0.1, "REGRESSED"), (-0.1, "PASS")]
)
def test_trials_in_turn_tell_a_slow_down_under_drift(slowdown, status):
    one = measured(trials(slowdown))
    assert one.status == status
    assert one.numbers.difference == pytest.approx(-slowdown, abs=0.01)
    assert one.reason.startswith({0.03: "slower", 0.1: "slower", -0.1: "better"}.get(slowdown, "no loss"))
    assert (one.task, one.metric, one.filter) == ("chat.512x128.b1", "output_rate", "cpu")


def test_of_a_time_more_is_slower():
    values = trials(0.1)
    one = measured({run: [1 / v for v in listed] for run, listed in values.items()}, metric="ttft")
    assert (one.status, one.numbers.difference) == ("REGRESSED", pytest.approx(-0.1, abs=0.01))


def test_too_few_pairs_for_alpha_say_how_many_it_needs():
    one = measured(trials(0.5, n=6), ask=("detect",))
    assert one.status == "UNDERPOWERED"
    assert f"needs {math.ceil(math.log2(1 / 0.0015))} pairs of trials, not 6" in one.reason


def test_the_side_that_was_measured_against_the_other_may_be_either():
    values = trials(0.1)
    one = gate([point("old", "a", against="b")], [point("new", "b")], values)
    assert (one.status, one.numbers.difference) == ("REGRESSED", pytest.approx(-0.1, abs=0.01))


def test_speeds_of_two_occasions_are_not_compared():
    one = gate([point("old", "a")], [point("new", "b")])
    assert one.status == "MISSING"
    assert "`minizoo bench new --against old --workload chat`" in one.reason


def test_an_invalid_measurement_is_missing_with_its_codes():
    busy = Validity(valid=False, reasons=(Reason(code="machine-busy", text="other processes"),))
    one = gate([point("old", "a")], [point("new", "b", against="a", validity=busy)], trials(0.0))
    assert (one.status, "invalid (machine-busy)" in one.reason) == ("MISSING", True)


def test_a_failed_measurement_is_missing():
    broken = {"status": "infra_failed", "reason": "the GPU is gone", "code": "device-lost"}
    one = gate([point("old", "a")], [point("new", "b", against="a", **broken)], trials(0.0))
    assert (one.status, "the GPU is gone (device-lost)" in one.reason) == ("MISSING", True)


def test_trials_that_are_gone_are_missing():
    assert measured({"a": [], "b": []}).status == "MISSING"


def test_points_of_equal_memory_are_in_no_plan():
    by_memory = point("new", "b", against="a", batch=36, mode="equal memory")
    one = gate([point("old", "a")], [point("new", "b", against="a"), by_memory], trials(0.0))
    assert one.task == "chat.512x128.b1"


def test_a_workload_that_nobody_ran_is_missing_where_it_is_critical():
    assert gate([], []).status == "MISSING"


def files(model, speeds, codes=("not-watched",)):
    """A record a file."""
    validity = Validity(valid=False, reasons=tuple(Reason(code=code, text=code) for code in codes))
    return [_file(model, speed, validity) for speed in speeds]


def _file(model, speed, validity):
    told = Imported(tool="t", tool_version=None, file="f", sha256=f"{model}{speed}", time="file")
    figure = Statistic(metric="output_rate", statistic="p50", value=speed, n=9)
    return point(model, None, validity=validity, statistics=(figure,), source="imported", imported=told)


SPEEDS = [100.0, 101.0, 99.0, 100.5, 99.5, 100.2, 99.8]
FILES = {"accept": "imported", "ask": ("release",)}


@pytest.mark.parametrize(("factor", "status"), [(1.0, "PASS"), (0.9, "REGRESSED")])
def test_imported_files_are_trials_whose_conditions_nobody_watched(factor, status):
    one = gate(files("old", SPEEDS), files("new", [v * factor for v in SPEEDS]), **FILES)
    assert one.status == status
    assert "conditions unwatched" in one.reason
    assert one.numbers.difference == pytest.approx(factor - 1, abs=0.01)


def test_imported_files_want_an_entry_that_takes_them():
    assert gate(files("old", SPEEDS), files("new", SPEEDS)).status == "MISSING"


def test_too_few_files_are_missing_and_one_file_twice_is_one():
    one = gate(files("old", SPEEDS), files("new", [*SPEEDS[:5], SPEEDS[0]]), **FILES)
    assert (one.status, one.reason) == (
        "MISSING",
        "7 and 5 imported files of it that can be used, and the entry asks for 6 a side",
    )


def test_files_of_unfinished_runs_are_not_counted():
    broken = files("new", SPEEDS, codes=("not-watched", "requests-failed"))
    assert gate(files("old", SPEEDS), broken, **FILES).status == "MISSING"


def test_so_few_files_reach_no_such_alpha_however_far_apart_they_are():
    one = gate(files("old", SPEEDS[:3]), files("new", SPEEDS[3:6]), accept="imported", ask=("detect",), files=3)
    assert one.status == "UNDERPOWERED"
    assert "needs 11 files a side, not 3" in one.reason
