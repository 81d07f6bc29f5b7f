"""The command line as a whole: light, documented, and polite about mistakes."""

import importlib
import os
import subprocess
import sys

import click
import pytest
from support.paths import ROOT

from minizoo.cli import COMMANDS

HEAVY = {"torch", "transformers", "lm_eval", "duckdb", "datasets", "scipy", "numpy", "pyarrow", "pydantic", "rich"}
README = (ROOT / "README.md").read_text("utf-8")


def walk():
    for name, (target, _) in COMMANDS.items():
        module, function = target.split(":")
        command = getattr(importlib.import_module(module), function)
        yield name, command
        for sub, child in getattr(command, "commands", {}).items():
            yield f"{name} {sub}", child


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["evl"]])
def test_front_door_imports_nothing_heavy(words):
    script = (
        "import sys; from minizoo.cli import run; run(sys.argv[1:]); "
        f"print('HEAVY', sorted(set(sys.modules) & {HEAVY!r}))"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout


@pytest.mark.parametrize(("name", "command"), walk(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_has_help_and_every_option_too(name, command):
    assert command.help
    for option in command.params:
        assert not isinstance(option, click.Option) or option.help, f"{name} {option.name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readmes_table(name):
    assert f"| `minizoo {name}" in README


def test_unknown_command_is_answered_with_the_right_one(minizoo):
    ran = minizoo("evl")
    assert ran.code == 2
    assert "Did you mean 'eval'?" in ran.err


def test_unknown_option_exits_2(minizoo):
    ran = minizoo("eval", "--modle", "x")
    assert ran.code == 2
    assert "--model" in ran.err


def test_a_fault_of_our_own_is_still_one_paragraph(minizoo, monkeypatch, tmp_path):
    import harness.accuracy.run

    def broken(*_):
        raise ZeroDivisionError("one over nought")

    monkeypatch.setattr(harness.accuracy.run, "prepare", broken)
    ran = minizoo("eval", "--model", "nano-teacher", "--results", tmp_path)
    assert ran.code == 4
    assert "Traceback" not in ran.err
    assert "one over nought" in ran.err or "ZeroDivisionError" in ran.err


def test_debug_shows_the_traceback():
    argv = [sys.executable, "-m", "minizoo", "--debug", "eval", "--model", "no-such-model"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_dry_run_says_what_would_run_and_runs_nothing(minizoo, stories, data, tmp_path):
    argv = ["eval", "--model", stories, "--tasks", "winogrande,gsm8k", "--limit", 20, "--data", data, "--dry-run"]
    plan = minizoo(*argv, "--results", tmp_path / "results", "--json").json()
    rows = {row["task"]: row for row in plan["tasks"]}
    assert rows["winogrande"]["requests"] == 40
    assert rows["winogrande"]["documents_total"] == 1267
    assert rows["winogrande"]["detectable_difference"] == pytest.approx(0.443, abs=0.001)
    assert rows["gsm8k"]["truncated"] == 20
    assert not (tmp_path / "results").exists()
    shown = minizoo(*argv)
    assert shown.code == 0
    assert "requests" in shown.out


def test_dry_run_needs_no_weights_where_a_tokenizer_is_given(minizoo, assets, data):
    argv = ["eval", "--model", "mistral-nemo-minitron-8b", "--tasks", "winogrande", "--shots", 5, "--limit", 10]
    ran = minizoo(*argv, "--data", data, "--tokenizer", assets / "tokenizers/gpt2", "--dry-run", "--json")
    assert ran.code == 0, ran.err
    assert ran.json()["tasks"][0]["truncated"] == 0
