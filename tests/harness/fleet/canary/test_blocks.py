"""What a speed job measured, from the record and trial files that its runs left."""

import math

import pyarrow as pa
import pytest
from support.nights_told import FIRST, job
from support.records import record

from harness.fleet.canary.blocks import blocks_of
from harness.metrics.speed_metrics import trial_schema
from harness.records.files import folder_name, new_run_id, run_folder, write_record
from harness.records.night import Attempt, JobOutcome, Step, StepRun
from harness.records.speed_record import Reason, SpeedFacts, Validity

TOKENS = 10
ROLES = ("candidate", "canary", "canary", "candidate")


def trials(rates):
    """A trial each, of one request of TOKENS tokens at that rate."""
    rows = [
        {
            "trial": number, "phase": "trial", "cluster": 0, "request": 0, "input_tokens": 4, "wanted_tokens": TOKENS,
            "submit_s": 0.0, "start_s": 0.0, "token_s": [(k + 1) / rate for k in range(TOKENS)],
        }
        for number, rate in enumerate(rates)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=trial_schema())


def ran(results, role, block, rates, reasons=(), setting=None, slo=None, **changes):
    """A run of one point on disk, as a step of a job leaves it."""
    one = record(task="batch1.4x10.b1", run_id=new_run_id(), suite="batch1", scores=(), counts=None, **changes)
    validity = Validity(valid=not reasons, reasons=tuple(Reason(code=code, text=code) for code in reasons))
    speed = SpeedFacts(workload="batch1", point="4x10.b1", validity=validity, slo=slo or {})
    one = one.model_copy(update={"speed": speed, "setting": one.setting.model_copy(update=setting or {})})
    write_record(results, one, tables={"trials": trials(rates)} if rates else None)
    return StepRun(role=role, block=block, run_id=one.run_id)


def night_of(results, rates_of, blocks=(0, 1), **more):
    """The runs of A-B-B-A blocks; `rates_of(role, block, turn)` gives a run's trials."""
    return [ran(results, role, b, rates_of(role, b, turn), **more) for b in blocks for turn, role in enumerate(ROLES)]


def outcome(runs, uuid="GPU-1"):
    attempt = Attempt(number=1, started_at=FIRST, ended_at=FIRST, seconds=1.0, host="h", gpu_uuid=uuid)
    return JobOutcome(job="bench-m", status="done", attempts=(attempt,), runs=tuple(runs))


def steady(role, block, turn):
    return [{"candidate": 100.0, "canary": 50.0}[role]] * 3


def test_a_value_a_block_is_the_geometric_mean_of_the_median_trials(tmp_path):
    def rates(role, block, turn):
        return [1.0, 100.0 * (block + 1), 900.0] if turn == 0 else [400.0] if role == "candidate" else [50.0]

    (found,) = blocks_of(job(), outcome(night_of(tmp_path, rates)), tmp_path)
    assert found.candidate == pytest.approx((math.sqrt(100 * 400), math.sqrt(200 * 400)))
    assert found.canary == pytest.approx((50.0, 50.0))
    assert (found.metric, found.workload, found.point, found.gpu_uuid) == ("output_rate", "batch1", "4x10.b1", "GPU-1")
    assert found.left_out == ()


def test_what_drifts_evenly_through_a_block_falls_out_of_the_ratio(tmp_path):
    def rates(role, block, turn):
        return [(100.0 if role == "candidate" else 50.0) * math.exp(-0.05 * turn)]

    (found,) = blocks_of(job(), outcome(night_of(tmp_path, rates)), tmp_path)
    assert [a / b for a, b in zip(found.candidate, found.canary, strict=True)] == pytest.approx([2.0, 2.0])


def test_an_invalid_run_takes_its_whole_block_out_and_says_why(tmp_path):
    runs = night_of(tmp_path, steady, blocks=(0,))
    runs += [
        ran(tmp_path, role, 1, steady(role, 1, turn), ("throttled",) if turn == 1 else ())
        for turn, role in enumerate(ROLES)
    ]
    (found,) = blocks_of(job(), outcome(runs), tmp_path)
    assert len(found.candidate) == len(found.canary) == 1
    assert len(found.left_out) == 1
    assert "block 1: the canary's run" in found.left_out[0]
    assert "throttled" in found.left_out[0]


def test_a_failed_run_and_one_without_trials_take_their_blocks_out(tmp_path):
    runs = night_of(tmp_path, steady, blocks=(0,), status="failed", code="out-of-memory")
    runs += [ran(tmp_path, role, 1, []) for role in ROLES]
    (found,) = blocks_of(job(), outcome(runs), tmp_path)
    assert found.candidate == ()
    assert "failed (out-of-memory)" in found.left_out[0]
    assert "no trials" in found.left_out[1]


def test_a_missing_step_leaves_its_block_out(tmp_path):
    (found,) = blocks_of(job(), outcome(night_of(tmp_path, steady)[:-1]), tmp_path)
    assert len(found.candidate) == 1
    assert found.left_out == ("block 1: 1 of the candidate's 2 runs have an output_rate",)


@pytest.mark.parametrize("text", ["", "{", "\x00", '{"schema_version": "minizoo.record/99"}'])
def test_a_corrupt_record_is_told_and_the_other_block_counts(tmp_path, text):
    runs = night_of(tmp_path, steady)
    folder = run_folder(tmp_path, runs[-1].run_id) / folder_name("batch1.4x10.b1")
    (folder / "record.json").write_text(text)
    (found,) = blocks_of(job(), outcome(runs), tmp_path)
    assert len(found.candidate) == 1
    assert any("cannot be read" in reason for reason in found.left_out)


def test_a_cut_trials_file_takes_its_block_out(tmp_path):
    runs = night_of(tmp_path, steady)
    path = run_folder(tmp_path, runs[0].run_id) / folder_name("batch1.4x10.b1") / "trials.parquet"
    path.write_bytes(path.read_bytes()[:40])
    (found,) = blocks_of(job(), outcome(runs), tmp_path)
    assert len(found.candidate) == 1
    assert "no trials" in found.left_out[0]


def test_a_block_of_several_machines_is_left_out(tmp_path):
    runs = night_of(tmp_path, steady, blocks=(0,))
    runs += [ran(tmp_path, role, 1, [1.0], setting={"host": "ab"[turn // 2]}) for turn, role in enumerate(ROLES)]
    (found,) = blocks_of(job(), outcome(runs), tmp_path)
    assert len(found.candidate) == 1
    assert "several machines: a and b" in found.left_out[0]


def test_a_canary_that_changes_within_a_job_is_no_canary(tmp_path):
    runs = night_of(tmp_path, steady, blocks=(0,))
    runs += night_of(tmp_path, steady, blocks=(1,), setting={"versions": {"torch": "3"}})
    (found,) = blocks_of(job(), outcome(runs), tmp_path)
    assert found.candidate == ()
    assert "not the same" in found.left_out[0]


def test_pin_changes_with_weights_versions_and_dtype_and_not_with_driver_or_commit(tmp_path):
    def pin(name, **setting):
        (found,) = blocks_of(job(), outcome(night_of(tmp_path / name, steady, setting=setting)), tmp_path / name)
        return found.canary_pin

    plain = pin("a")
    assert pin("b", driver="999", git_sha="c0ffee") == plain
    assert pin("c", versions={"torch": "3"}) != plain
    assert pin("d", dtype="bfloat16") != plain


def test_goodput_has_a_series_where_the_workload_has_objectives(tmp_path):
    found = blocks_of(job(), outcome(night_of(tmp_path, steady, slo={"e2e": 100.0})), tmp_path)
    assert [one.metric for one in found] == ["output_rate", "goodput"]


def test_a_job_without_a_canary_or_of_accuracy_has_no_blocks(tmp_path):
    runs = outcome(night_of(tmp_path, steady))
    assert blocks_of(job(steps=(Step(words=("bench",)),)), runs, tmp_path) == []
    assert blocks_of(job(kind="eval"), runs, tmp_path) == []
    assert blocks_of(job(), outcome([]), tmp_path) == []


def test_a_repetition_and_a_label_are_carried_over(tmp_path):
    (found,) = blocks_of(job(recheck_of="x", label="run-a"), outcome(night_of(tmp_path, steady)), tmp_path)
    assert (found.recheck_of, found.model) == ("x", "run-a")
