"""A worker that does not come to answer: each cause in one paragraph, with what to do."""

import pytest
from support.workers import asked, open_scripted, right, taken

from zoo.errors import (
    DeviceMemory,
    DeviceMissing,
    EngineMissing,
    EngineRefused,
    EngineVersion,
    InterpreterUnfit,
    InvalidOption,
    WorkerDied,
    WorkerSilent,
)

CASES = {
    "dies": (WorkerDied, "ended with code 7 while it loaded the model. It last printed: libengine: no such kernel"),
    "version": (EngineVersion, "said by the engine"),
    "unsupported": (EngineRefused, "cannot run this model: said by the engine"),
    "input": (EngineRefused, "said by the engine"),
    "memory": (DeviceMemory, "said by the engine"),
    "exhausted": (DeviceMemory, "MemoryError: 8 GiB"),
    "told": (DeviceMissing, "said by the engine Plug it in."),
    "lacks": (EngineMissing, "a_package_that_is_not_there"),
    "raises": (EngineRefused, "KeyError: 'layers.3'"),
}


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """The error of opening; it is an environment's (exit 4), and no folder of a socket is left."""
    monkeypatch.setenv("MINIZOO_WORKER_SECONDS", "20")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    def call(cause, **how):
        with pytest.raises(cause) as caught:
            open_scripted(tmp_path / "marks", **how)
        assert caught.value.exit_code == 4
        assert caught.value.hint
        assert "\n" not in str(caught.value)
        assert not list(tmp_path.glob("minizoo-worker-*"))
        return str(caught.value)

    return call


@pytest.mark.parametrize("start", CASES)
def test_an_engine_that_does_not_start_says_why(refused, start):
    cause, said = CASES[start]
    assert said in refused(cause, start=start)


def test_a_worker_that_hangs_at_its_start_is_not_waited_for(refused, monkeypatch):
    monkeypatch.setenv("MINIZOO_WORKER_SECONDS", "1.5")
    assert "MINIZOO_WORKER_SECONDS" in refused(WorkerSilent, start="hangs")


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("/not/there/python", "No such file"),
        ("/etc/passwd", "Permission denied"),
        ("/bin/true", "ended with code 0 before it connected"),
        ("/bin/cat", "before it connected. It last printed: /bin/cat"),
        ("py\0thon", "null byte"),
    ],
)
def test_what_is_no_python_is_told(refused, python, said):
    assert said in refused(InterpreterUnfit, python=python)


def test_a_command_that_is_no_container_is_told(refused):
    assert "no-such-container" in refused(InterpreterUnfit, command=("no-such-container", "run"))


def test_a_waiting_time_that_is_none_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIZOO_WORKER_SECONDS", "soon")
    with pytest.raises(InvalidOption, match="soon"):
        open_scripted(tmp_path / "marks")


def test_a_long_temporary_folder_is_no_hindrance(tmp_path, monkeypatch):
    deep = tmp_path / ("deep" * 40)
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    monkeypatch.setattr("tempfile.tempdir", None)
    backend = open_scripted(tmp_path / "marks")
    try:
        assert taken(backend.score(asked([1]))) == right([0])
    finally:
        backend.close()
