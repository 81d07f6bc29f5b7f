"""Which way of isolating is taken, what a user may say of it, and where the one reached is shown."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from harness.sandbox import runner as sandbox
from harness.sandbox import tiers as ways
from harness.sandbox.process import ProgramVerdict, run_program
from harness.sandbox.runner import isolation, run_programs
from harness.sandbox.tiers import TIERS, TIERS_VARIABLE, Tier
from zoo.errors import NoIsolation


def test_some_tier_works_where_the_tests_run():
    if sys.platform != "linux":
        pytest.skip("isolation needs Linux")
    if isolation() is None:
        with pytest.raises(NoIsolation) as refusal:
            sandbox.require_isolation()
        pytest.skip(refusal.value.what)
    assert isolation() in {tier.name for tier in TIERS}


@pytest.fixture
def chosen():
    """The user's word on isolation, taken back afterwards."""
    yield ways.CHOICE
    ways.CHOICE.command, ways.CHOICE.allow_none = (), False


def test_a_command_of_the_users_own_is_taken_only_where_its_walls_stand(chosen):
    chosen.command = ("/usr/bin/env",)
    assert isolation() is None
    with pytest.raises(NoIsolation, match="command: /usr/bin/env: SystemExit"):
        run_programs(["x = 1"])


def test_a_command_of_the_users_own_that_isolates_is_used_and_named(chosen):
    if (best := isolation()) != "bubblewrap":
        pytest.skip(f"no bubblewrap to make a command of ({best} works here)")
    command = tuple(TIERS[0].command())
    chosen.command = command
    assert isolation() == f"command: {' '.join(command)}"
    assert run_programs(["x = 1", "1 / 0"]) == [
        ProgramVerdict(True, "passed"),
        ProgramVerdict(False, "ZeroDivisionError: division by zero"),
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("minizoo-no-such-program -x", "`minizoo-no-such-program` is not installed"),
        ("/etc/passwd", "`/etc/passwd` cannot be run"),
        ("false", "it did not start"),
        ("echo ready", "ready"),
        ("cat 'a", "is not a command line"),
        ("", "the command is empty"),
    ],
)
def test_a_command_that_does_not_isolate_is_refused_in_one_paragraph(minizoo, tmp_path, chosen, words: str, says: str):
    ran = minizoo("doctor", "--results", tmp_path, "--sandbox-command", words)
    assert ran.code in (2, 4)
    assert says in " ".join((ran.out + ran.err).split())
    assert "Traceback" not in ran.err


def test_doctor_names_the_tier_that_code_runs_under_and_why_another_does_not(minizoo, tmp_path, chosen, monkeypatch):
    best = isolation()
    if best is None:
        pytest.skip("nothing isolates here")
    broken = Tier("broken", lambda: ["/bin/sh", "-c", "echo no room >&2; exit 1"], "built", "`hint`")
    monkeypatch.setattr(ways, "TIERS", (broken, *TIERS))
    checks = minizoo("doctor", "--results", tmp_path, "--json").json()["checks"]
    found = next(check["found"] for check in checks if check["name"] == "isolation")
    assert found.startswith(f"generated code runs under {best}")
    assert "broken does not (no room)" in found
    assert f"it may import the standard library, numpy {version('numpy')}, tqdm {version('tqdm')}, fire " in found


def test_an_evaluation_records_and_shows_how_its_code_was_kept_apart(minizoo, stories, tmp_path, chosen):
    if isolation() is None:
        pytest.skip("nothing isolates here")
    argv = _evaluation(stories, tmp_path)
    ran = minizoo(*argv)
    assert ran.code == 0, ran.err
    assert f"Generated code ran under: {isolation()}." in ran.err
    assert f"It could import the standard library, numpy {version('numpy')}, tqdm " in " ".join(ran.err.split())
    (path,) = tmp_path.glob("**/record.json")
    recorded = json.loads(path.read_text())["code_packages"]
    assert recorded == {name: version(name) for name in ("numpy", "tqdm", "fire")}
    from harness.store.query import query

    assert {row["isolation"] for row in query(tmp_path, "SELECT isolation FROM scores WHERE source = 'measured'")} == {
        isolation()
    }


def test_without_isolation_a_code_task_fails_before_it_is_generated_and_may_be_allowed(
    minizoo, stories, tmp_path, chosen, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(TIERS_VARIABLE, "")
    argv = _evaluation(stories, tmp_path)
    refused = minizoo(*argv, "--json")
    assert refused.code == 4
    assert refused.json()["computed"] == 0
    (record,) = refused.json()["records"]
    assert (record["status"], record["code"]) == ("failed", "no-isolation")
    assert (record["scores"], record["isolation"]) == ([], None)
    assert "--allow-unsandboxed-code" in record["reason"]
    allowed = minizoo(*argv, "--allow-unsandboxed-code", "--json")
    assert allowed.code == 0, allowed.err
    assert allowed.json()["records"][0]["isolation"] == "none (--allow-unsandboxed-code)"
    assert minizoo(*argv).code == 4  # what was allowed was allowed once


def _evaluation(model, folder):
    """The words that evaluate one HumanEval problem and leave the results in the folder."""
    return ["eval", "--model", model, "--suite", _one_humaneval(folder), "--overflow", "truncate", "--results", folder]


def _one_humaneval(folder: Path) -> Path:
    suite = folder / "code.yaml"
    suite.write_text(
        "name: code\nfolders: [harness/tasks/code]\n"
        "tasks: [{task: humaneval, limit: 1, decoding: {n: 2, max_tokens: 16}}]\n"
    )
    return suite


def test_code_runs_without_walls_only_where_the_user_allowed_it_and_still_starts_no_process(
    chosen, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(TIERS_VARIABLE, "")
    chosen.allow_none = True
    assert isolation() == "none (--allow-unsandboxed-code)"
    passed, forked = run_programs(["x = 1", "import os; os.fork()"], as_human_eval=False)
    assert passed.passed
    assert "BlockingIOError" in forked.reason


def test_allowing_none_still_takes_the_best_walls_there_are(chosen):
    best = isolation()
    chosen.allow_none = True
    assert best is None or isolation() == best


def test_without_isolation_nothing_is_run_and_the_message_mends_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(TIERS_VARIABLE, "")
    assert isolation() is None
    with pytest.raises(NoIsolation) as refusal:
        run_programs(["x = 1"])
    assert refusal.value.exit_code == 4
    assert "apt-get install bubblewrap" in str(refusal.value)
    assert "sysctl -w user.max_user_namespaces" in str(refusal.value)


def test_a_tier_that_cannot_start_is_a_fault_and_never_a_failed_program(monkeypatch: pytest.MonkeyPatch):
    broken = Tier("broken", lambda: ["/bin/sh", "-c", "echo no room >&2; exit 1"], "built", "`hint`")
    absent = Tier("absent", lambda: ["minizoo-no-such-program"], "built", "`install`")
    monkeypatch.setattr(ways, "TIERS", (broken, absent))
    monkeypatch.delenv(TIERS_VARIABLE, raising=False)
    with pytest.raises(NoIsolation, match=r"broken: no room; absent: `minizoo-no-such-program` is not installed"):
        run_programs(["x = 1"])


def test_a_tier_whose_walls_do_not_stand_is_not_taken(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ways, "TIERS", (Tier("none", list, "built", "`hint`"),))
    monkeypatch.delenv(TIERS_VARIABLE, raising=False)
    with pytest.raises(NoIsolation, match="none: SystemExit"):
        run_programs(["x = 1"])


def test_a_machine_without_a_call_table_has_no_isolation(monkeypatch: pytest.MonkeyPatch):
    from harness.sandbox.seccomp import deny_filter

    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(OSError, match="riscv64"):
        deny_filter(True)
    with pytest.raises(NoIsolation, match="riscv64"):
        run_program(TIERS[0], "x = 1", 1.0)
    assert run_program(Tier(ways.UNSANDBOXED, list, "none", ""), "x = 1", 3.0).passed
