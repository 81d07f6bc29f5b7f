"""A step's process: what it tells, that it ends with whoever began it, and how Ctrl-C reaches it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.paths import ROOT

from benchmarks.rows.process import environment, run_process

WAITS = """
import os, pathlib, sys, time
try:
    pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
    time.sleep(60)
except KeyboardInterrupt:
    print("kept", file=sys.stderr)
    sys.exit(130)
"""
PARENT = """
import sys
from benchmarks.rows.process import run_process
run_process([sys.executable, "-c", sys.argv[1], sys.argv[2]], print)
"""


def python(code, *words):
    return [sys.executable, "-c", code, *map(str, words)]


def gone(pid):
    """Whether a process has ended, within ten seconds."""
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def written(path):
    """What a process wrote to a file, within ten seconds."""
    for _ in range(200):
        if path.exists() and (text := path.read_text()):
            return int(text)
        time.sleep(0.05)
    raise AssertionError(f"{path} was not written")


def test_its_stderr_is_passed_on_line_by_line_and_its_last_line_kept():
    heard = []
    done = run_process(python("import sys; print('out'); print('a\\nb', file=sys.stderr); sys.exit(7)"), heard.append)
    assert (done.code, done.out, heard, done.last_line) == (7, "out\n", ["a", "b"], "b")


@pytest.mark.parametrize(
    ("code", "words"),
    [("import os; os.kill(os.getpid(), 9)", "killed by signal 9"), ("exit(5)", "exit code 5, without a word")],
)
def test_an_end_without_a_word_is_put_into_words(code, words):
    assert run_process(python(code), print).last_line == words


def test_it_has_no_network_and_this_checkouts_packages():
    done = run_process(python("import os, harness; print(os.environ['HF_HUB_OFFLINE'], harness.__file__)"), print)
    assert done.out.split() == ["1", str(ROOT / "harness/__init__.py")]
    assert environment()["HF_DATASETS_OFFLINE"] == environment()["TRANSFORMERS_OFFLINE"] == "1"


def test_it_dies_with_a_caller_that_is_killed(tmp_path):
    file = tmp_path / "pid"
    with subprocess.Popen(python(PARENT, WAITS, file), env=environment()) as parent:
        child = written(file)
        parent.kill()
    assert gone(child)


def test_what_it_leaves_running_ends_with_it():
    code = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid)"
    assert gone(int(run_process(python(code), print).out))


def test_ctrl_c_reaches_it_once_and_is_raised_when_it_has_ended(tmp_path):
    file = tmp_path / "pid"
    heard = []

    def interrupt():
        written(file)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        run_process(python(WAITS, file), heard.append)
    assert heard == ["kept"]
    assert gone(written(file))
