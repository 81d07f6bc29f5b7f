"""The command line as a whole: light, documented, and polite about mistakes."""

import errno
import subprocess
import sys

import click
import pytest
from support.commands import every_command

HEAVY = {"torch", "transformers", "lm_eval", "duckdb", "datasets", "scipy", "numpy", "pyarrow", "pydantic", "rich"}


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["evl"]])
def test_front_door_imports_nothing_heavy(words):
    script = (
        "import sys; from minizoo.cli import run; run(sys.argv[1:]); "
        f"print('HEAVY', sorted(set(sys.modules) & {HEAVY!r}))"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout


@pytest.mark.parametrize(("name", "command"), every_command().items(), ids=every_command())
def test_every_command_has_help_and_every_option_too(name, command):
    assert command.help
    for option in command.params:
        assert not isinstance(option, click.Option) or option.help, f"{name} {option.name}"


def test_unknown_command_is_answered_with_the_right_one(minizoo):
    ran = minizoo("evl", "--json")
    assert (ran.code, ran.json()["code"]) == (2, "unknown-name")
    assert "Did you mean 'eval'?" in ran.err


def test_a_command_line_that_cannot_be_read_has_the_code_usage(minizoo):
    ran = minizoo("eval", "--modle", "x", "--json")
    assert ran.code == 2
    told = ran.json()
    assert (told["schema"], told["code"], told["exit_code"]) == ("minizoo.error/1", "usage", 2)
    assert "--model" in told["what"]
    assert ran.err == f"minizoo: {told['what']} {told['hint']}\n"


def test_an_error_is_a_document_with_json_and_one_paragraph_without(minizoo):
    told = minizoo("show", "no-such-model", "--json")
    assert told.json()["code"] == "unknown-model"
    shown = minizoo("show", "no-such-model")
    assert (shown.code, shown.out, shown.err) == (told.code, "", told.err)


def breaks(monkeypatch, exception):
    """Make `minizoo models` raise."""

    def broken(**_):
        raise exception

    monkeypatch.setattr(every_command()["models"], "callback", broken)


def test_an_internal_error_exits_70_and_names_its_log(minizoo, monkeypatch, tmp_path):
    monkeypatch.setenv("MINIZOO_LOG_DIR", str(tmp_path))
    breaks(monkeypatch, ZeroDivisionError("one over nought"))
    ran = minizoo("models", "--json")
    (log,) = tmp_path.glob("*-models-*.log")
    assert (ran.code, ran.json()["code"]) == (70, "internal-error")
    assert str(log) in ran.err
    assert "Traceback" not in ran.err
    assert "ZeroDivisionError: one over nought" in log.read_text("utf-8")


@pytest.mark.parametrize(
    ("exception", "exit_code", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/results"), 4, "system-refused"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 4, "system-refused"),  # of a worker, not of stdout
        (KeyboardInterrupt(), 130, "interrupted"),
        (SystemExit(1), 70, "internal-error"),  # a library that leaves by itself
    ],
)
def test_each_kind_of_exception_has_its_exit_code(minizoo, monkeypatch, exception, exit_code, code):
    breaks(monkeypatch, exception)
    ran = minizoo("models", "--json")
    assert (ran.code, ran.json()["code"]) == (exit_code, code)


def test_debug_shows_the_traceback(minizoo):
    ran = minizoo("--debug", "show", "no-such-model")
    assert ran.code == 2
    assert "Traceback" in ran.err
    assert "Traceback" not in minizoo("show", "no-such-model").err


def test_dry_run_says_what_would_run_and_runs_nothing(minizoo, stories, data, tmp_path):
    argv = [
        "eval",
        "--model",
        stories,
        "--tasks",
        "winogrande,gsm8k",
        "--limit",
        20,
        "--data",
        data,
        "--dry-run",
        "--no-probe",
    ]
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
