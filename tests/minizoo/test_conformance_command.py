"""`minizoo conformance` shows every check with its figures, keeps the outcome, and ends with the verdict's exit code."""

from dataclasses import replace

import pytest
from support.outcomes import KEY, outcome

import harness.conformance.ask as asking
from harness.conformance.files import all_kept, write_outcome
from minizoo.doctor.conformance import check_conformance
from reports.engines.outcomes import outcome_grid, outcomes_of, summary

MODEL = ("conformance", "--model", "nano-teacher", "--device", "cpu", "--short")


@pytest.fixture
def ask(minizoo, tmp_path):
    return lambda *words: minizoo(*MODEL, "--results", tmp_path, *words)


def test_every_check_is_shown_with_its_figures_and_kept(ask, tmp_path):
    ran = ask("--backend", "hf")
    assert ran.code == 0, ran.err
    (kept,) = all_kept(tmp_path)
    assert kept.outcome.key.backend == "hf"
    for check in kept.outcome.checks:
        assert check.check in ran.out
    assert "PASSED: " in ran.out
    assert str(kept.path) in ran.out


@pytest.fixture
def answer(monkeypatch):
    """Have the checks come to an outcome, or raise."""

    def given(made):
        def checks(backend, checkpoint, reference, depth, *_):
            if isinstance(made, Exception):
                raise made
            return replace(made, depth=depth)

        monkeypatch.setattr(asking, "run_checks", checks)

    return given


def test_a_failed_check_ends_with_1_and_is_named(ask, answer, tmp_path):
    answer(outcome("fail"))
    ran = ask()
    assert ran.code == 1
    assert "FAILED: 0 passed, 1 failed, 1 skipped (alignment)" in ran.out
    assert "largest 1e-06, requests 12" in ran.out


def test_where_nothing_could_be_asked_nothing_is_known(ask, answer):
    answer(outcome("skip"))
    ran = ask()
    assert ran.code == 3
    assert "NOTHING ASKED: 0 passed, 0 failed, 2 skipped." in ran.out


def test_json_has_the_key_the_checks_and_where_it_is_kept(ask, answer, tmp_path):
    answer(outcome())
    ran = ask("--json")
    told = ran.json()
    assert (ran.code, told["schema"], told["passed"], told["depth"]) == (0, "minizoo.conformance/1", True, "short")
    assert told["key"]["engine"] == KEY.engine
    assert [check["verdict"] for check in told["checks"]] == ["pass", "skip"]
    assert all_kept(tmp_path)[0].path.name in told["file"]


@pytest.mark.parametrize(
    ("words", "code", "cause"),
    [
        (("--backend", "vlm"), 2, "unknown-name"),
        (("--device", "cuda:7"), 4, "device-missing"),
        (("--dtype", "int3"), 2, "unsupported-dtype"),
    ],
)
def test_bad_words_are_refused(minizoo, tmp_path, words, code, cause):
    ran = minizoo("conformance", "--model", "nano-teacher", "--results", tmp_path, "--json", *words)
    assert (ran.code, ran.json()["code"]) == (code, cause)
    assert not (tmp_path / "conformance").exists()


def test_an_engine_that_breaks_off_is_the_environments_and_keeps_nothing(ask, answer, tmp_path):
    answer(RuntimeError("CUDA error: device lost"))
    ran = ask("--json")
    assert (ran.code, ran.json()["code"]) == (4, "backend-broke")
    assert all_kept(tmp_path) == []


def test_doctor_names_what_passed_what_failed_and_what_nobody_asked(tmp_path):
    found = check_conformance(tmp_path)
    assert found.verdict == "ok"
    assert "hf: passed" in found.found
    write_outcome(tmp_path, outcome("fail"))
    found = check_conformance(tmp_path)
    assert found.verdict == "warn"
    assert "theirs (theirs 1.0) failed alignment for LlamaForCausalLM on cpu in float32" in found.found


def test_the_page_of_engines_has_a_row_an_outcome(tmp_path):
    shipped = outcomes_of(tmp_path)
    assert {one.source for one in shipped} == {"shipped"}
    write_outcome(tmp_path, outcome("fail"))
    told = outcomes_of(tmp_path)
    assert len(told) == len(shipped) + 1
    assert ", 1 failed." in summary(told)
    cells = outcome_grid(told).groups[-1].lines[-1].cells
    assert [cell.text for cell in cells][:6] == ["theirs", "theirs 1.0", "cpu", "float32", "LlamaForCausalLM", "failed"]
    assert cells[6].detail == "alignment"
