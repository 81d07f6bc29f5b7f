"""The tests that compare models' arithmetic, under the kernels of other processors: does rounding stay within what is stated?

    python benchmarks/processors.py [--only avx2] [TESTS…]

torch, MKL and oneDNN choose kernels by the processor; each row of the table takes one of them away, or the number of
threads. Not asked for here are OpenBLAS (torch's library on Arm) and AMD's processors, whose sums the same bounds allow for.
Exits 1 when a test fails. `tests/support/tolerances.py` says where the bounds come from.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = (
    "tests/harness/lmeval/test_hflm_equality.py",
    "tests/backends/packing",
    "tests/backends/hf",
    "tests/zoo/prune/test_prune_equivalence.py",
    "tests/zoo/prune/test_prune_importance.py",
    "tests/zoo/nano/test_nano_rows.py",
)
PROCESSORS: dict[str, dict[str, str]] = {
    "as it is": {},
    "two threads": {"OMP_NUM_THREADS": "2"},
    "ATen without vectors": {"ATEN_CPU_CAPABILITY": "default"},
    "ATen avx2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "MKL SSE4.2": {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
    "MKL AVX2": {"MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "MKL AVX2, ATen avx2, two threads": {
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "OMP_NUM_THREADS": "2",
    },
    "MKL's reproducible kernels": {"MKL_CBWR": "COMPATIBLE"},
    "without oneDNN": {"MINIZOO_WITHOUT_ONEDNN": "1"},
    "oneDNN AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
}
INSIDE = """
import json, os, sys
import pytest, torch
torch.backends.mkldnn.set_flags("MINIZOO_WITHOUT_ONEDNN" not in os.environ)
code = pytest.main(["-q", "-p", "no:cacheprovider", "--timeout=0", *sys.argv[1:]])
from support.tolerances import SEEN
print("\\n" + json.dumps({"code": int(code), "seen": SEEN}))
"""
"""Runs pytest in its own process, and prints what the assertions met on its last line."""


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--only", default="", help="rows whose name holds this")
    words.add_argument("tests", nargs="*", default=TESTS, help="test files instead of those that compare arithmetic")
    given = words.parse_args()
    failed = False
    print(
        "| kernels | tests | max Δ log p | of what is allowed | fp32, of what is allowed | seconds |\n|---|---|--:|--:|--:|--:|"
    )
    for name, variables in PROCESSORS.items():
        if given.only in name:
            started = time.monotonic()
            code, seen, told = run(variables, given.tests)
            shares = [f"{seen.get(f'{kind}, share of what is allowed', 0):.0%}" for kind in ("logprobs", "fp32")]
            cells = ["failed" if code else "passed", f"{seen.get('logprobs', 0):.2g}", *shares]
            print(f"| {name} | {' | '.join(cells)} | {time.monotonic() - started:.0f} |", flush=True)
            if code:
                failed = True
                print(told[-3000:], file=sys.stderr)
    return int(failed)


def run(variables: dict[str, str], tests: list[str]) -> tuple[int, dict[str, float], str]:
    """pytest's exit code, what the assertions met, and all that was printed."""
    done = subprocess.run(
        [sys.executable, "-c", INSIDE, *tests],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1", **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        last = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return done.returncode or 1, {}, done.stdout + done.stderr
    return last["code"], last["seen"], done.stdout


if __name__ == "__main__":
    sys.exit(main())
