"""Several workers, one call: as one worker answers, whatever becomes of one of them."""

import logging
import os
import signal

import pytest
from support.workers import asked, is_alive, open_scripted, right, taken

from backends.contract import GenerateRequest
from backends.several import backend as several
from backends.several.backend import SeveralBackend
from zoo.errors import RequestKills, SeveralDevices, WorkerDied

KILL_ONCE, KILL_ALWAYS, REFUSE, SLOW = 100, 101, 105, 111


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """A backend over scripted workers whose chunks are a few requests each; the starts of each in turn."""
    monkeypatch.setenv("MINIZOO_WORKER_SECONDS", "60")
    monkeypatch.setattr(several, "LEAST_TOKENS", 1)
    begun = []

    def call(*starts):
        workers = [
            open_scripted(tmp_path / f"marks-{place}", f"cuda:{place}", start=start)
            for place, start in enumerate(starts)
        ]
        begun.append(SeveralBackend(workers))
        return begun[-1]

    yield call
    for backend in begun:
        backend.close()


def requests_of(tmp_path, place):
    path = tmp_path / f"marks-{place}/asked"
    return sum(map(int, path.read_text().split())) if path.exists() else 0


def test_two_workers_share_a_call_and_answer_as_one(opened, tmp_path):
    backend = opened(None, None)
    assert taken(backend.score(asked([SLOW] * 40, per_token=True))) == right(range(40), per_token=True)
    shares = [requests_of(tmp_path, place) for place in (0, 1)]
    assert sum(shares) == 40
    assert min(shares) >= 8
    texts = [GenerateRequest((1, place), 2, seed=place) for place in range(9)]
    assert [one.tokens for one in taken(backend.generate(texts))] == [(place, place) for place in range(9)]
    assert (backend.device, backend.devices, backend.capabilities.stream) == ("cuda:0", ("cuda:0", "cuda:1"), False)


def test_a_device_that_falls_away_leaves_its_work_to_the_others_and_is_told(opened, caplog):
    backend = opened("dies again", None)
    dying, other = backend.workers
    answers = backend.score(asked([SLOW] * 40))
    first = next(answers)
    os.kill(dying.worker.pid, signal.SIGKILL)
    with caplog.at_level(logging.WARNING):
        assert taken(answers, [first]) == right(range(40))
    assert "Its work goes on without cuda:0, on cuda:1." in caplog.text
    assert backend.workers == (other,)
    assert taken(backend.score(asked([1] * 5))) == right(range(5))


def test_where_all_devices_fall_away_the_last_error_is_raised(opened):
    backend = opened("dies again", "dies again")
    came = []
    with pytest.raises(WorkerDied, match="while it loaded the model"):
        taken(backend.score(asked([1, KILL_ONCE, KILL_ONCE] * 2)), came)
    assert all(answer in right(range(6)) for answer in came)
    with pytest.raises(WorkerDied, match="All workers of scripted have died"):
        backend.score(asked([1]))


def test_a_worker_that_is_killed_is_renewed_and_both_go_on(opened):
    backend = opened(None, None)
    assert taken(backend.score(asked([1, KILL_ONCE, 1] * 6))) == right(range(18))
    assert len(backend.workers) == 2


def test_a_request_that_kills_is_named_once_and_all_others_are_answered(opened):
    backend, came = opened(None, None), []
    with pytest.raises(RequestKills, match="request 7, "):
        taken(backend.score(asked([KILL_ALWAYS if place == 7 else 1 for place in range(12)])), came)
    assert taken(came) == right([place for place in range(12) if place != 7])
    assert len(backend.workers) == 2


def test_an_error_of_a_request_ends_the_call_and_leaves_the_workers(opened):
    backend = opened(None, None)
    with pytest.raises(ValueError, match="do not fit"):
        taken(backend.score(asked([1, 1, REFUSE, 1])))
    assert taken(backend.score(asked([1] * 4))) == right(range(4))
    assert len(backend.workers) == 2


def test_a_call_that_is_left_leaves_no_thread_waiting(opened):
    backend = opened(None, None)
    answers = backend.score(asked([SLOW] * 400))
    next(answers)
    answers.close()
    assert taken(backend.score(asked([1] * 4))) == right(range(4))


def test_all_workers_end_with_the_backend(opened):
    backend = opened(None, None)
    alive = [worker.worker.pid for worker in backend.workers]
    assert all(map(is_alive, alive))
    backend.close()
    assert not any(map(is_alive, alive))


def test_devices_that_would_give_other_numbers_are_refused(opened, tmp_path):
    workers = opened(None, None).workers
    workers[1].compute_dtype = "tfloat32"
    with pytest.raises(SeveralDevices, match="tfloat32"):
        SeveralBackend(workers)
