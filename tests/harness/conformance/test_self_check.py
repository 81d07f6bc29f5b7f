"""`minizoo eval` asks a backend that is new here once; one that answers wrongly is unverified, and nothing is lost."""

import json
from dataclasses import replace

import pytest

import harness.accuracy.run as accuracy
import harness.conformance.self_check as self_check
from backends.contract import Options
from backends.opening import open_backend
from harness.store.query import query
from zoo.checkpoint.locate import locate

WORDS = ("--tasks", "nano_words,nano_endings", "--limit", 2, "--device", "cpu", "--json")


@pytest.fixture(scope="module")
def engine():
    return open_backend(locate("nano-teacher"), "hf", Options("cpu", "float32"))


class Theirs:
    """A backend of somebody else around a right engine, which it leaves open. `shift` loses that many tokens at the end of each
    context."""

    def __init__(self, engine, shift=0, name="theirs", versions=None):
        self.name, self.versions = name, {"theirs": "1.0"} if versions is None else versions
        self.device, self.dtype, self.tokenizer = engine.device, engine.dtype, engine.tokenizer
        self.capabilities = engine.capabilities
        self._engine, self._shift = engine, shift

    def score(self, requests):
        lost = [replace(one, context=one.context[: -self._shift or None] or one.context) for one in requests]
        return self._engine.score(lost)

    def generate(self, requests):
        return self._engine.generate(requests)

    def close(self):
        pass


@pytest.fixture
def evaluate(minizoo, tmp_path, monkeypatch):
    """Run `minizoo eval` on such a backend; the exit code, the records and what was told."""

    def call(backend, *more):
        monkeypatch.setattr(accuracy, "open_backend", lambda *_: backend)
        ran = minizoo("eval", "nano-teacher", *WORDS, "--results", tmp_path, *more)
        return ran.code, json.loads(ran.out)["records"], ran.err

    return call


def outcomes(results):
    return sorted(path.name.rpartition("-")[0] for path in (results / "conformance").glob("*"))


def test_a_new_backend_is_asked_once_and_its_records_say_so(evaluate, engine, tmp_path):
    for first in (True, False):
        code, records, told = evaluate(Theirs(engine))
        assert code == 0
        assert {record["status"] for record in records} == {"ok"}
        assert {(r["conformance"]["state"], r["conformance"]["source"]) for r in records} == {("passed", "measured")}
        assert ("A short self-check" in told) == first
    assert outcomes(tmp_path) == ["theirs-cpu-float32-" + records[0]["conformance"]["key"]["architecture"]]
    assert {row["conformance"] for row in query(tmp_path, "SELECT conformance FROM latest_valid")} == {"passed"}


def test_one_that_loses_a_token_is_unverified_and_in_no_valid_result(evaluate, engine, tmp_path):
    code, records, told = evaluate(Theirs(engine, shift=1))
    assert code == 3
    assert {record["status"] for record in records} == {"unverified"}
    assert all(record["scores"] for record in records)
    assert records[0]["conformance"]["failed"]
    assert "UNVERIFIED: backend theirs failed conformance" in told
    assert query(tmp_path, "SELECT * FROM latest_valid") == []
    assert len(query(tmp_path, "SELECT DISTINCT task FROM scores WHERE status = 'unverified'")) == 2


def test_what_is_right_for_the_locked_versions_is_known_without_asking(evaluate, engine, tmp_path):
    code, records, told = evaluate(Theirs(engine, name=engine.name, versions=engine.versions))
    assert (code, {r["conformance"]["source"] for r in records}) == (0, {"shipped"})
    assert "self-check" not in told
    assert outcomes(tmp_path) == []


def test_eager_asks_nothing(evaluate, engine, tmp_path):
    code, records, told = evaluate(Theirs(engine), "--eager")
    assert (code, records[0]["conformance"]["state"], outcomes(tmp_path)) == (0, "unchecked", [])
    assert "Unchecked: it is not known whether backend theirs" in told


def test_a_backend_without_a_version_is_never_covered(evaluate, engine, tmp_path):
    code, records, _ = evaluate(Theirs(engine, versions={}))
    assert (code, outcomes(tmp_path)) == (0, [])
    assert "no version of its engine" in records[0]["conformance"]["reason"]


def test_a_self_check_that_breaks_off_leaves_it_unchecked_and_the_run_goes_on(evaluate, engine, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no kernel for this head size")

    monkeypatch.setattr(self_check, "run_checks", broken)
    code, records, told = evaluate(Theirs(engine))
    assert (code, records[0]["status"], outcomes(tmp_path)) == (0, "ok", [])
    assert "RuntimeError: no kernel for this head size" in told
