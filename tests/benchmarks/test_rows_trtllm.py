"""gpu_rows asks TensorRT-LLM's conformance where it finds an installation, once a folder, and says so where it does not."""

import json
import sys

import pytest
from support.lent_machine import ALONE, CARD

from backends.conformance.key import Key
from backends.conformance.outcome import CheckOutcome, Outcome
from benchmarks.rows.command import Options
from benchmarks.rows.process import Finished
from benchmarks.rows.trtllm import asked, found
from harness.conformance.files import write_outcome


def installed(folder, version="1.4.0rc1"):
    """A Python that has that distribution of TensorRT-LLM."""
    packages = folder / "packages"
    (packages / "tensorrt_llm").mkdir(parents=True)
    (packages / "tensorrt_llm" / "__init__.py").touch()
    (packages / f"tensorrt_llm-{version}.dist-info").mkdir()
    metadata = f"Metadata-Version: 2.1\nName: tensorrt-llm\nVersion: {version}\n"
    (packages / f"tensorrt_llm-{version}.dist-info" / "METADATA").write_text(metadata)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nshift\nshift\nPYTHONPATH={packages} exec {sys.executable} -c "$@"\n')
    python.chmod(0o755)
    return python


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No installation, wherever this machine has one."""
    monkeypatch.delenv("MINIZOO_TRTLLM_PYTHON", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def there(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIZOO_TRTLLM_PYTHON", str(installed(tmp_path)))


def options(folder, **changes):
    return Options(**{"results": folder / "rows", "device": "cuda:0", "dtype": "bfloat16", "trials": 6} | changes)


def verdicts(**counted):
    """What `minizoo conformance --json` prints."""
    checks = [{"check": f"{word}-{i}", "verdict": word} for word, count in counted.items() for i in range(count)]
    return json.dumps({"schema": "minizoo.conformance/1", "checks": checks})


def ask_with(finished, folder, minutes=5.0, **changes):
    """What is said, and the words of the commands that ran."""
    ran = []
    said = asked(lambda command: ran.append(list(command)) or finished, options(folder, **changes), minutes)
    return said, ran


def test_without_an_installation_nothing_runs_and_it_is_said_where_one_would_be(tmp_path):
    said, ran = ask_with(Finished(0, ""), tmp_path)
    assert ran == []
    assert said.startswith("TensorRT-LLM is not installed (neither $MINIZOO_TRTLLM_PYTHON nor ")
    assert "`minizoo doctor`" in said


def test_where_there_is_one_every_check_is_asked_on_this_card(tmp_path, there):
    said, ran = ask_with(Finished(0, verdicts(**{"pass": 29, "skip": 1})), tmp_path)
    (words,) = ran
    assert words[words.index("minizoo") + 1 :] == [
        "conformance", "--backend", "trtllm", "--model", "nano-teacher", "--device", "cuda:0", "--dtype", "bfloat16",
        "--results", str(tmp_path / "rows"), "--json",
    ]  # fmt: skip
    assert said.startswith("tensorrt_llm 1.4.0rc1 (MINIZOO_TRTLLM_PYTHON): conforms: 29 checks passed, 1 could not be")


@pytest.mark.parametrize(("finished", "said"), [
    (Finished(1, verdicts(**{"pass": 27, "fail": 2})), "DOES NOT CONFORM: fail-0, fail-1 failed; 27 checks passed"),
    (Finished(3, verdicts(skip=30)), "nothing was asked: 0 checks passed, 30 could not be asked"),
    (Finished(4, json.dumps({"schema": "minizoo.error/1", "what": "The driver is too old."})), "asked: The driver is too old."),
    (Finished(-9, "", "Loading\n"), "conformance could not be asked: Loading"),
])  # fmt: skip
def test_what_came_of_it_is_one_sentence(tmp_path, there, finished, said):
    assert said in ask_with(finished, tmp_path)[0]


@pytest.mark.parametrize(("changes", "why"), [
    ({"device": "cpu"}, "it needs a GPU"), ({"dtype": "float32"}, "not in float32"), ({"minutes": 0}, "the time is up"),
])  # fmt: skip
def test_what_cannot_be_asked_is_not_begun(tmp_path, there, changes, why):
    said, ran = ask_with(Finished(0, ""), tmp_path, **changes)
    assert (ran, why in said) == ([], True)


def test_an_interpreter_without_it_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIZOO_TRTLLM_PYTHON", sys.executable)
    assert found(options(tmp_path)) == (
        False,
        f"TensorRT-LLM is not in {sys.executable} (MINIZOO_TRTLLM_PYTHON), so it is not asked.",
    )


def test_a_folder_that_has_the_outcome_is_not_asked_again(tmp_path, there):
    def kept(engine):
        key = Key(backend="trtllm", engine=engine, device="cuda", dtype="bfloat16", architecture="LlamaForCausalLM")
        write_outcome(tmp_path / "rows", Outcome(key, (CheckOutcome("order", "pass", {}, ""),), "full", "nano-teacher"))

    kept("tensorrt_llm 1.4.0rc11")
    assert found(options(tmp_path))[0]
    kept("tensorrt_llm 1.4.0rc1, torch 2.14.0")
    said, ran = ask_with(Finished(0, ""), tmp_path)
    assert (ran, "was asked before" in said) == ([], True)
    assert found(options(tmp_path, dtype="float16"))[0]


def test_the_script_says_it_after_its_rows_and_in_its_plan(lent, two_batches):
    ran = lent(*ALONE, two_batches)
    assert ran.code == 0
    assert "TensorRT-LLM is not installed" in ran.err
    assert all(words[1] == "bench" for words in ran.steps)
    assert "TensorRT-LLM is not installed" in lent(*ALONE, two_batches, "--plan").out


def test_the_script_asks_it_on_a_gpu(lent, two_batches, there):
    lent.card = CARD.model_copy(update={"device": "cuda:0"})
    lent.instead = lambda words: Finished(1, verdicts(fail=1)) if words[1] == "conformance" else Finished(4, "")
    ran = lent(*ALONE, two_batches)
    assert ran.steps[-1][1] == "conformance"
    assert "DOES NOT CONFORM: fail-0 failed" in ran.err
    assert "its conformance is asked after the rows" in lent(*ALONE, two_batches, "--plan").out
