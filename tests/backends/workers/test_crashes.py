"""What becomes of requests whose worker crashes, hangs or talks nonsense: nothing answered is lost, nothing is invented."""

import math
import os
import signal

import pytest
from support.workers import asked, open_scripted, right, taken

from backends.contract import GenerateRequest, OutOfMemory
from backends.workers.answering import MOST_KILLERS
from zoo.errors import RequestKills, WorkerDied

KILL_ONCE, KILL_ALWAYS, HANG_ONCE, GARBAGE_ONCE, RAISE, REFUSE, FULL, NAN, PRINT, LEAVE_OUT, INVENT, SLOW = range(
    100, 112
)


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Open the scripted engine; closed at the end."""
    begun = []

    def call(patience=20, **engine):
        monkeypatch.setenv("MINIZOO_WORKER_SECONDS", str(patience))
        begun.append(open_scripted(tmp_path / "marks", **engine))
        return begun[-1]

    yield call
    for backend in begun:
        backend.close()


def starts(tmp_path):
    return len(list((tmp_path / "marks").glob("pid-*")))


def test_a_worker_killed_in_the_midst_loses_nothing(opened, tmp_path):
    assert taken(opened().score(asked([1, 1, KILL_ONCE, 1], per_token=True))) == right(range(4), per_token=True)
    assert starts(tmp_path) == 2


def test_a_worker_killed_from_outside_loses_nothing(opened, tmp_path):
    backend = opened()
    answers = backend.score(asked([SLOW] * 12))
    first = next(answers)
    os.kill(backend.worker.pid, signal.SIGKILL)
    assert taken(answers, [first]) == right(range(12))
    assert starts(tmp_path) == 2


def test_an_idle_worker_that_was_killed_is_replaced(opened):
    backend = opened()
    os.kill(backend.worker.pid, signal.SIGKILL)
    assert taken(backend.score(asked([1, 1]))) == right(range(2))
    os.kill(backend.worker.pid, signal.SIGKILL)
    (text,) = backend.generate([GenerateRequest((1,), 2, seed=5)])
    assert text.tokens == (5, 5)


def test_what_ends_a_worker_alone_is_named_and_all_others_are_answered(opened):
    came = []
    with pytest.raises(
        RequestKills, match=r"2 requests of 6 .*request 1, .*'101 2 3 1 0'.*SIGKILL.*request 4"
    ) as caught:
        taken(opened().score(asked([1, KILL_ALWAYS, 1, 1, KILL_ALWAYS, 1])), came)
    assert taken(came) == right([0, 2, 3, 5])
    assert "All others are answered" in caught.value.hint


def test_an_engine_that_raises_is_a_crash_of_that_request(opened):
    came = []
    with pytest.raises(RequestKills, match="device-side assert"):
        taken(opened().score(asked([1, RAISE, 1])), came)
    assert taken(came) == right([0, 2])


def test_where_every_request_kills_it_is_given_up_soon(opened, tmp_path):
    with pytest.raises(RequestKills) as caught:
        taken(opened().score(asked([KILL_ALWAYS] * 32)))
    assert f"{32 - MOST_KILLERS} others were not tried any more" in caught.value.hint
    assert starts(tmp_path) < 16


def test_a_worker_that_hangs_is_ended_and_asked_again(opened, tmp_path):
    assert taken(opened(patience=1.5).score(asked([1, HANG_ONCE, 1]))) == right(range(3))
    assert starts(tmp_path) == 2


def test_garbage_on_the_socket_is_no_answer(opened, tmp_path):
    assert taken(opened().score(asked([1, GARBAGE_ONCE, 1]))) == right(range(3))
    assert starts(tmp_path) == 2


def test_what_the_engine_prints_is_no_part_of_the_protocol(opened):
    assert taken(opened().score(asked([PRINT, 1]))) == right(range(2))


@pytest.mark.parametrize("word", [LEAVE_OUT, INVENT])
def test_answers_that_are_left_out_or_invented_are_no_answers(opened, word):
    came = []
    with pytest.raises(RequestKills, match=r"without an answer|was not asked"):
        taken(opened().score(asked([1, word])), came)
    assert taken(came) == right([0])


def test_a_request_that_does_not_fit_and_full_memory_are_errors_of_the_call(opened, tmp_path):
    backend = opened()
    with pytest.raises(ValueError, match="do not fit into 64"):
        taken(backend.score(asked([REFUSE])))
    with pytest.raises(OutOfMemory, match="Tried to allocate"):
        taken(backend.score(asked([FULL])))
    assert taken(backend.score(asked([1]))) == right([0])
    assert starts(tmp_path) == 1


def test_a_number_that_is_none_crosses_as_one(opened):
    (answer,) = opened().score(asked([NAN]))
    assert math.isnan(answer.logprob)


def test_a_fresh_worker_that_cannot_start_is_told(opened):
    with pytest.raises(WorkerDied, match="ended with code 7 while it loaded the model"):
        taken(opened(start="dies again").score(asked([KILL_ONCE])))
