"""Runs programs that a model wrote, where they can do no harm, and says which of them came to their last line.

Every program has a process of its own, started anew (never forked from ours), with a scrubbed environment, its own
session, limits on memory, time, files and processes, no network, and a file system that holds the interpreter
read-only and a scratch `/tmp` in memory: no data set, no home folder, no process but its own.

A pass is a nonce on a descriptor that the program is not told of, written after its last line: neither an exit code
nor anything printed can stand in for it. What this cannot see through is a program written against this very
file, which could search its own interpreter for the nonce, as it could redefine what its tests compare.
"""

from __future__ import annotations

import functools
import os
import secrets
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import EnvironmentFault

TIERS_VARIABLE = "MINIZOO_SANDBOX_TIERS"
"""Environment variable: the tiers that may be used, by name, separated by commas. Unset means all."""

START_S = 30.0  # a loaded machine may be slow to start a sandbox; a program's own time begins when it is started
REPORT_BYTES = 8192
SCRATCH_BYTES = 64 * 2**20
SYSTEM_PATHS = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/null", "/dev/zero", "/dev/urandom")
# Isolated mode (-I) less its -E: the environment is ours alone, and its fixed hash seed makes verdicts repeat.
PYTHON = (f"{sys.base_prefix}/bin/python{sys.version_info[0]}.{sys.version_info[1]}", "-P", "-s", "-S")
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}


class NoIsolation(EnvironmentFault):
    """Generated code cannot be isolated on this machine, so it was not run."""


@dataclass(frozen=True)
class Verdict:
    """Whether a program came to its last line, and if not, what stopped it (one short line)."""

    passed: bool
    reason: str


@dataclass(frozen=True)
class Tier:
    """A way of isolating: the command that precedes the interpreter's, and the line that makes it work.

    `root` gives the paths that the child itself must build its root from; the others' root is built by the command.
    """

    name: str
    command: Callable[[], list[str]]
    root: Callable[[], list[str]]
    mend: str


def run_programs(programs: Sequence[str], timeout_s: float = 3.0, workers: int | None = None) -> list[Verdict]:
    """Run every program for at most `timeout_s` seconds of wall time, `workers` at once (default: the CPU cores).

    Verdicts come in the order of the programs. Raises NoIsolation, before anything ran, where no tier works, and in
    the midst where a sandbox does not start: a program that was not run has no verdict.
    """
    tier = _tier(require_isolation())
    with ThreadPoolExecutor(workers or len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(lambda program: _run(tier, program, timeout_s), programs))


def isolation() -> str | None:
    """Name of the first tier that works on this machine, or None. Each is started once a process to find out."""
    return next((tier.name for tier in _allowed() if _fault(tier.name) is None), None)


def require_isolation() -> str:
    """As `isolation`, but raises NoIsolation, which says why each tier failed and which line mends it."""
    name = isolation()
    if name is None:
        faults = "; ".join(f"{tier.name}: {_fault(tier.name)}" for tier in _allowed())
        raise NoIsolation(
            f"Generated code cannot be isolated here, so it is not run ({faults or 'every tier is switched off'}).",
            "One of these mends it: " + "; ".join(f"{tier.mend}" for tier in TIERS) + ".",
        )
    return name


def _paths() -> list[str]:
    """What a program sees of this machine: the system's libraries and the interpreter, if not among them."""
    paths = [path for path in SYSTEM_PATHS if Path(path).exists()]
    prefix = Path(sys.base_prefix)
    return paths if prefix.is_relative_to("/usr") else [*paths, str(prefix)]


def _bubblewrap() -> list[str]:
    binds = [word for path in _paths() if not path.startswith("/dev/") for word in ("--ro-bind", path, path)]
    return [
        "bwrap", "--unshare-all", "--die-with-parent", "--as-pid-1", "--cap-drop", "ALL",
        *binds, "--dev", "/dev", "--remount-ro", "/dev",
        "--size", str(SCRATCH_BYTES), "--tmpfs", "/tmp", "--remount-ro", "/", "--chdir", "/tmp", "--",
    ]  # fmt: skip


def _user_namespaces() -> list[str]:
    return [
        "setpriv", "--pdeathsig", "KILL", "unshare", "--kill-child", "--fork", "--user", "--map-root-user",
        "--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup",
    ]  # fmt: skip


TIERS = (
    Tier("bubblewrap", _bubblewrap, list, "`apt-get install bubblewrap`"),
    Tier(
        "user-namespaces",
        _user_namespaces,
        _paths,
        "`sysctl -w user.max_user_namespaces=15000` (where the kernel has them also "
        "kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0)",
    ),
)

# Passes only where the walls stand.
PROBE = """
import os, socket
for folder in ("/", "/usr", "/dev"):
    try:
        os.close(os.open(f"{folder}/minizoo-probe", os.O_CREAT | os.O_WRONLY))
    except OSError:
        continue
    raise SystemExit(f"{folder} is writable")
if os.path.exists("/proc/self") or len(socket.if_nameindex()) > 1:
    raise SystemExit("processes or network of the host are visible")
open("/tmp/scratch", "w").close()
"""


def _allowed() -> list[Tier]:
    names = os.environ.get(TIERS_VARIABLE)
    return [tier for tier in TIERS if names is None or tier.name in names.split(",")]


def _tier(name: str) -> Tier:
    return next(tier for tier in TIERS if tier.name == name)


@functools.cache
def _fault(name: str) -> str | None:
    """Why the tier of this name does not work here, or None where it does."""
    try:
        verdict = _run(_tier(name), PROBE, timeout_s=10.0)
    except NoIsolation as fault:
        return fault.what
    return None if verdict.passed else verdict.reason


@functools.cache
def _child() -> str:
    return Path(__file__).with_name("sandbox_child.py").read_text(encoding="utf-8")


def _run(tier: Tier, program: str, timeout_s: float) -> Verdict:
    nonce = secrets.token_hex(16)
    command = [*tier.command(), *PYTHON, "-c", _child(), str(int(timeout_s) + 2), *tier.root()]
    with os.fdopen(os.memfd_create("program"), "w+b") as source:  # a file, not a pipe: nobody waits for the reader
        source.write((nonce + program).encode("utf-8", "surrogatepass"))
        source.seek(0)
        try:
            process = subprocess.Popen(
                command,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        except FileNotFoundError as missing:
            raise NoIsolation(f"`{missing.filename}` is not installed") from missing
    with process:
        try:
            return _verdict(process, nonce, timeout_s)
        finally:
            _end(process)


def _verdict(process: subprocess.Popen[bytes], nonce: str, timeout_s: float) -> Verdict:
    """Read what the child reports, at most REPORT_BYTES of it, and judge."""
    ready = b"ready\n"
    said = _read(process, b"", len(ready), START_S)
    if not said.startswith(ready):
        said = _read(process, said, REPORT_BYTES, wait_s=1.0)
        what = " ".join(said.decode(errors="replace").split()[:60]) or f"it did not start within {START_S:.0f} s"
        raise NoIsolation(what)
    end = time.monotonic() + timeout_s
    said = _read(process, said, REPORT_BYTES, timeout_s).removeprefix(ready)
    try:
        code = process.wait(max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        return Verdict(False, f"timed out after {timeout_s:g} s")
    if said == nonce.encode():
        return Verdict(True, "passed")
    reason = " ".join(said.decode(errors="replace").replace(nonce, "").split())
    return Verdict(False, reason[:300] or f"ended before its last line (exit code {code})")


def _read(process: subprocess.Popen[bytes], said: bytes, most: int, wait_s: float) -> bytes:
    """`said` and what follows it, until the end, until there are `most` bytes or until `wait_s` seconds have passed."""
    assert process.stdout is not None
    end = time.monotonic() + wait_s
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(said) < most and selector.select(max(0.0, end - time.monotonic())):
            more = os.read(process.stdout.fileno(), most - len(said))
            if not more:
                break
            said += more
    return said


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left: the group, and with its first process the whole process namespace."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
