"""Run programs that a model wrote, isolated, and say which of them came to their last line.

Every program has a process of its own, started anew (never forked from ours), with a scrubbed environment, its own
session, limits on memory, time and files, a filter that lets it start no process or thread and open no socket, and a file
system that holds the interpreter read-only and a scratch folder: no data set, no home folder, no process but its own.
`harness/sandbox/tiers.py` has the ways of isolating, `process.py` runs one program.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.sandbox.process import ProgramVerdict, run_program
from harness.sandbox.tiers import UNSANDBOXED, Tier, allowed_tiers, hints
from zoo.errors import NoIsolation

# A program that ends well only inside working isolation. SECRET is a file of ours that no program may read.
PROBE = """
import os, socket
for folder in ("/", "/usr", "/dev", "/etc"):
    try:
        os.close(os.open(f"{folder}/minizoo-probe", os.O_CREAT | os.O_WRONLY))
    except OSError:
        continue
    raise SystemExit(f"{folder} is writable")
for what, attempt in (
    ("files of the host are visible", lambda: open(SECRET)),
    ("the network is open", lambda: socket.socket(socket.AF_INET)),
    ("processes can be started", os.fork),
):
    try:
        attempt()
    except OSError:
        continue
    raise SystemExit(what)
open("scratch", "w").close()
"""


def run_programs(programs: Sequence[str], timeout_s: float = 3.0, workers: int | None = None) -> list[ProgramVerdict]:
    """Run every program for at most `timeout_s` seconds of wall time, `workers` at once (default: the CPU cores).

    Verdicts come in the order of the programs. Raises NoIsolation, before anything ran, where no tier works, and in
    the midst where a sandbox does not start: a program that was not run has no verdict.
    """
    tier = _tier(require_isolation())
    with ThreadPoolExecutor(workers or len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(lambda program: run_program(tier, program, timeout_s), programs))


def isolation() -> str | None:
    """Name of the first tier that works on this machine, or None. Each is started once a process to find out."""
    return next((tier.name for tier in allowed_tiers() if _fault(tier) is None), None)


def faults() -> dict[str, str | None]:
    """Each tier that may be used, best first, and why it does not work here, or None where it does."""
    return {tier.name: _fault(tier) for tier in allowed_tiers()}


def require_isolation() -> str:
    """As `isolation`, but raises NoIsolation, which says why each tier failed and what would make it work."""
    name = isolation()
    if name is None:
        told = "; ".join(f"{name}: {fault}" for name, fault in faults().items())
        raise NoIsolation(
            f"Generated code cannot be isolated here, so it is not run ({told or 'every tier is switched off'}).",
            "One of these mends it: " + "; ".join(hints()) + "; a command of your own that isolates "
            "(--sandbox-command); or --allow-unsandboxed-code on a machine that holds nothing of value.",
        )
    return name


def _tier(name: str) -> Tier:
    return next(tier for tier in allowed_tiers() if tier.name == name)


@functools.cache
def _fault(tier: Tier) -> str | None:
    """Why the tier does not work here, or None where it does."""
    if tier.name == UNSANDBOXED:
        return None
    with tempfile.TemporaryDirectory(prefix="minizoo-") as folder:
        secret = Path(folder, "secret")
        secret.write_text("42")
        try:
            verdict = run_program(tier, f"SECRET = {str(secret)!r}\n{PROBE}", timeout_s=10.0)
        except NoIsolation as fault:
            return fault.what
    return None if verdict.passed else verdict.reason
