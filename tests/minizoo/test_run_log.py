"""A log file a run: what stands in it, how many stay, and that libraries write there and not on the terminal."""

import logging
import os
import subprocess
import sys

import pytest

from minizoo.run_log import KEPT, log_folder


@pytest.fixture
def logs(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIZOO_LOG_DIR", str(tmp_path / "logs"))
    return tmp_path / "logs"


def test_a_run_leaves_a_log_with_its_command_and_its_exit_code(minizoo, logs):
    assert minizoo("show", "no such model").code == 2
    (log,) = logs.iterdir()
    text = log.read_text("utf-8")
    assert "minizoo show 'no such model'" in text
    assert "exit code 2" in text
    assert "Traceback" in text


def test_help_leaves_no_log(minizoo, logs):
    assert minizoo("models", "--help").code == 0
    assert not logs.exists()


def test_the_newest_logs_stay(minizoo, logs):
    logs.mkdir()
    for number in range(KEPT + 5):
        (logs / f"20200101T0000{number:02}Z-eval-1.log").touch()
    (logs / "of-the-user.log").touch()
    minizoo("db", "path", "--results", logs / "none")
    names = sorted(path.name for path in logs.glob("2*.log"))
    assert len(names) == KEPT
    assert names[0] == "20200101T000006Z-eval-1.log"
    assert (logs / "of-the-user.log").exists()


def test_where_no_log_can_be_written_the_command_runs_all_the_same(minizoo, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MINIZOO_LOG_DIR", str(tmp_path / "file" / "logs"))
    assert minizoo("models", "--json").code == 0


def test_the_folder_follows_the_xdg_convention(monkeypatch, tmp_path):
    monkeypatch.delenv("MINIZOO_LOG_DIR", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert log_folder() == tmp_path / "minizoo/logs"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert log_folder() == tmp_path / ".local/state/minizoo/logs"


SCRIPT = """
import logging, sys
import zoo.registry.loader as loader
def load_registry(*_):
    import datasets, huggingface_hub, transformers  # each puts a handler of its own on the terminal
    for name in ("lm_eval.api", "datasets.load", "huggingface_hub.file_download", "transformers.tokenization_utils"):
        logging.getLogger(name).warning("a warning of %s", name)
    return real()
real, loader.load_registry = loader.load_registry, load_registry
from minizoo.cli import main
main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.parametrize("verbose", [False, True])
def test_libraries_log_to_the_file_and_with_v_to_the_terminal(logs, verbose):
    words = [*(["-v"] if verbose else []), "models", "--json"]
    argv = [sys.executable, "-c", SCRIPT, *words]
    ran = subprocess.run(argv, capture_output=True, text=True, check=True, env={**os.environ})
    (log,) = logs.iterdir()
    text = log.read_text("utf-8")
    for name in ("lm_eval", "datasets", "huggingface_hub", "transformers"):
        assert f"a warning of {name}" in text
        assert (f"a warning of {name}" in ran.stderr) == verbose
        assert f"a warning of {name}" not in ran.stdout


def test_loggers_are_given_back(minizoo, logs):
    before = {name: list(logging.getLogger(name).handlers) for name in ("minizoo", "harness")}
    minizoo("-v", "models", "--json")
    assert {name: logging.getLogger(name).handlers for name in before} == before
