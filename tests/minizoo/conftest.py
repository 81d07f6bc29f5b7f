"""`minizoo bench` on the nano teacher, a fake backend in its place, and files of noise."""

import pytest
from support.noisy import noise, task_noise
from support.speed_fakes import FakeBackend, FakeProbe, Hand

import harness.speed.loading as loading
from harness.gates.noise.file import save_noise


@pytest.fixture
def bench(minizoo, tmp_path):
    """Run `minizoo bench` on the nano teacher with results in a folder of the test's own."""

    def call(*words, even_if_busy=True):  # the machine of a test is never quiet
        own = ["--even-if-busy"] if even_if_busy else []
        return minizoo("bench", "nano-teacher", "--results", tmp_path, *own, *words)

    return call


@pytest.fixture
def fake(monkeypatch):
    """Let a fake backend (and its clock) stand where the model would be; returns a function that says how it behaves."""

    def behave(probe=None, **words):
        hand = Hand()
        made = FakeBackend(hand, **words)
        monkeypatch.setattr(loading, "open_backend", lambda *_: made)
        monkeypatch.setattr(loading, "Clock", lambda: hand.clock)
        if not made.device.startswith("cuda"):
            monkeypatch.setattr(loading, "open_probe", lambda device: probe or FakeProbe(hand))
        return made

    return behave


@pytest.fixture
def noise_file(tmp_path):
    """Write a file of noise of one task; returns its path."""

    def write(task, highest):
        path = tmp_path / "noise.json"
        save_noise(path, noise(task_noise(task, highest)))
        return path

    return write
