"""A worker's end: closed, left by a parent that was killed, in a container; and what it is asked beside scores."""

import shutil
import signal
import subprocess
import sys
import time

import pytest
from support.paths import ROOT
from support.workers import asked, is_alive, open_scripted, right, taken

from backends.contract import GenerateRequest, StreamRequest
from zoo.errors import UnsupportedRequest

SLOW, HANG_ONCE = 111, 102
WAIT = 300.0
"""Seconds after which something that must come does not, on however busy a machine."""
PARENT = """
import sys, time
from pathlib import Path
from support.workers import asked, open_scripted
backend = open_scripted(Path(sys.argv[1]), start="spawns")
if sys.argv[2] == "busy":
    next(backend.score(asked([1, {HANG_ONCE}])))
Path(sys.argv[1], "ready").touch()
time.sleep(600)
"""


@pytest.fixture
def backend(tmp_path):
    backend = open_scripted(tmp_path / "marks", start="spawns")
    yield backend
    backend.close()


def processes(marks):
    """The worker's process and the one that its engine started."""
    return [int(path.name.split("-")[1]) for kind in ("pid", "child") for path in marks.glob(f"{kind}-*")]


def until(met):
    end = time.monotonic() + WAIT
    while not met():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def test_a_closed_worker_closes_its_engine_and_leaves_no_process(backend, tmp_path):
    folder = backend.worker._process._folder
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(map(is_alive, processes(tmp_path / "marks")))
    backend.close()
    assert (tmp_path / "marks/closed").exists()
    until(lambda: not any(map(is_alive, processes(tmp_path / "marks"))))
    assert not folder.exists()


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_no_worker_outlives_a_parent_that_was_killed(tmp_path, state):
    marks = tmp_path / "marks"
    source = PARENT.replace("{HANG_ONCE}", str(HANG_ONCE))
    parent = subprocess.Popen([sys.executable, "-c", source, marks, state], cwd=ROOT / "tests")
    try:
        until((marks / "ready").exists)
        alive = processes(marks)
        assert len(alive) == 2
        assert all(map(is_alive, alive))
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until(lambda: not any(map(is_alive, alive)))


def test_answers_that_are_left_do_not_come_into_the_next_call(backend):
    left = backend.score(asked([SLOW] * 200))
    next(left)
    left.close()
    assert taken(backend.score(asked([1, 1, 1]))) == right(range(3))


def test_texts_are_generated_and_their_settings_refused_at_the_call(backend):
    requests = [GenerateRequest((1, 2), 3, seed=seed) for seed in (7, 8)]
    assert [one.tokens for one in taken(backend.generate(requests))] == [(7, 7, 7), (8, 8, 8)]
    with pytest.raises(UnsupportedRequest, match="nonsense"):
        backend.generate([GenerateRequest((1, 2), 3, settings={"nonsense": True})])


@pytest.mark.parametrize("tokens", [(1000,), (-1,)])
def test_a_token_outside_the_vocabulary_never_reaches_the_engine(backend, tmp_path, tokens):
    (request,) = asked([1])
    with pytest.raises(ValueError, match="1000 of the embedding"):
        backend.score([type(request)(tokens, (1,))])
    with pytest.raises(ValueError, match="1000 of the embedding"):
        backend.generate([GenerateRequest(tokens, 1)])
    assert not (tmp_path / "marks/asked").exists()


class Feed:
    """Gives its requests one by one."""

    def __init__(self, *requests):
        self.left = list(requests)

    def take(self, room, idle):
        assert (room, idle) == (2, True)
        return [self.left.pop(0)] if self.left else None


def test_a_stream_takes_from_the_feed_and_tells_times_by_the_callers_clock(backend):
    feed = Feed(StreamRequest(0, (1,), 2), StreamRequest(1, (1,), 1))
    began = time.monotonic() - 1000
    steps = list(backend.stream(feed, 2, 64, lambda: time.monotonic() - 1000))
    assert [step.tokens for step in steps] == [((0, 0),), ((0, 1),), ((1, 0),)]
    times = [began, *(step.time for step in steps), time.monotonic() - 1000]
    assert times == sorted(times)
    assert (backend.peak_memory(), backend.peak_memory(reset=True)) == (12345, None)


def test_a_stream_that_is_left_frees_the_worker(backend):
    steps = backend.stream(Feed(StreamRequest(0, (1,), 1), StreamRequest(1, (1,), 1)), 2, 64, time.monotonic)
    next(steps)
    steps.close()
    assert taken(backend.score(asked([1]))) == right([0])


def test_a_worker_runs_in_a_container_whose_socket_is_mounted(tmp_path):
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    marks, apart = tmp_path / "marks", ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    if subprocess.run([*apart, "--unshare-net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("bubblewrap may not make namespaces on this machine")
    command = (*apart, "--unshare-net", "--unshare-pid", "--tmpfs", "/tmp", "--bind", "{socket}", "{socket}",
               "--ro-bind", "{served}", "{served}", "--bind", "{model}", "{model}",
               "--ro-bind", str(ROOT), str(ROOT), "--die-with-parent", "--new-session")  # fmt: skip
    backend = open_scripted(marks, command=command)
    try:
        assert taken(backend.score(asked([1, 100, 1]))) == right(range(3))
        container = backend.worker.pid
        assert is_alive(container)
    finally:
        backend.close()
    assert not is_alive(container)
