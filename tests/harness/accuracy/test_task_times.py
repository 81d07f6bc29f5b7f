"""The clock of an evaluation, and what records of groups, of resumed runs and of earlier versions say of time."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from support.records import record

from backends.contract import GenerateRequest, Generation, Score, ScoreRequest
from harness.accuracy.times.clock import TaskTimes, span_of_group
from harness.lmeval.encoding import Unit, UnitKey
from harness.records.files import write_record
from harness.records.provenance import setting_of
from harness.store.query import query

START = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)
SHARING = SimpleNamespace(shares_prefixes=True)


def unit(task, length, generated=0):
    prompt = tuple(range(length))
    request = GenerateRequest(prompt, generated) if generated else ScoreRequest(prompt[:-1], prompt[-1:])
    return Unit(UnitKey(task, 0, 0, 0), task, request)


class Hand:
    """A clock that stands still until it is moved."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    hand = Hand()
    times = TaskTimes(hand, START)

    def answer(after, task, length, tokens=None):
        times.asked()
        hand.now += after
        result = Score(0, -1.0, False) if tokens is None else Generation(0, tuple(range(tokens)), "stop")
        times.answered(unit(task, length, tokens or 0), result)

    return hand, times, answer


def test_a_task_begins_when_the_answer_before_its_first_was_there(clock):
    hand, times, answer = clock
    answer(3.0, "a", 10)
    answer(2.0, "b", 10)
    hand.now += 1.0  # judging
    span = times.span("b")
    assert (span.started_at - START, span.finished_at - START, span.wall_s) == (
        timedelta(seconds=3), timedelta(seconds=6), 3.0,
    )  # fmt: skip
    assert times.span("never asked").wall_s == 0


def test_answers_of_one_forward_pass_share_its_time_by_their_tokens(clock):
    _, times, answer = clock
    answer(4.0, "a", 31)
    answer(0.0, "b", 11)
    answer(5.0, "b", 11)
    assert times.work("a", SHARING, 7).scoring_s == pytest.approx(3.0)
    assert times.work("b", SHARING, 7).scoring_s == pytest.approx(6.0)


def test_scores_and_generated_text_are_kept_apart_and_shared_prefixes_counted_once(clock):
    _, times, answer = clock
    answer(1.0, "a", 21)
    answer(1.0, "a", 21)
    answer(2.0, "a", 5, tokens=6)
    work = times.work("a", SHARING, 7)
    assert (work.asked_tokens, work.computed_tokens, work.new_tokens) == (40, 20, 6)
    assert (work.scoring_s, work.generating_s, work.flops_per_token) == (2.0, 2.0, 7)
    assert times.work("a", SimpleNamespace(), None).computed_tokens == 40
    assert times.work("never asked", SHARING, 7) is None


def leaf(task, minute, seconds, process=START):
    begun = START + timedelta(minutes=minute)
    changes = {"started_at": begun, "finished_at": begun + timedelta(seconds=seconds), "run_started_at": process}
    return record(task, **changes, wall_s=seconds, run_id="01a22659-cfec-7066-b847-13b52e357320")


def test_a_group_goes_from_its_first_leafs_start_to_the_lasts_finish():
    span = span_of_group([leaf("b", 1, 30), leaf("a", 0, 30)])
    assert (span.started_at, span.finished_at, span.wall_s) == (START, START + timedelta(seconds=90), 90)


def test_the_night_between_an_interrupted_run_and_its_resumption_is_no_wall_time(tmp_path):
    resumed = START + timedelta(hours=9)
    leaves = [leaf("a", 0, 30), leaf("b", 540, 30, resumed)]
    assert span_of_group(leaves).wall_s == 60
    for each in leaves:
        write_record(tmp_path, each)
    (run,) = query(tmp_path, "SELECT started_at, wall_s FROM runs")
    assert (run["started_at"], run["wall_s"]) == (START, 60)


def test_a_record_of_before_tells_no_wall_time(tmp_path):
    write_record(tmp_path, record())
    (row,) = query(tmp_path, "SELECT wall_s, compute_dtype FROM scores WHERE source = 'measured'")
    assert row == {"wall_s": None, "compute_dtype": None}


def test_a_backend_that_does_not_say_what_it_multiplies_in_is_shown_by_its_weights_alone():
    backend = SimpleNamespace(name="theirs", device="cpu", dtype="bfloat16", versions={})
    setting = setting_of(backend, 0)
    assert (setting.compute_dtype, setting.precision) == (None, "bfloat16")
