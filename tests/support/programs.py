"""Programs for the sandbox, and one run of one."""

from __future__ import annotations

from harness.sandbox.process import ProgramVerdict
from harness.sandbox.runner import run_programs

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


def one(program: str, timeout_s: float = 3.0, as_human_eval: bool = False) -> ProgramVerdict:
    """Run one; by default with every function of a plain interpreter, so that only the walls stand against it."""
    return run_programs([program], timeout_s=timeout_s, as_human_eval=as_human_eval)[0]
