"""A dry run without an earlier run: some of the plan's own requests are run for seconds, and the time is marked so."""

import signal
import time

import pytest

import harness.accuracy.times.probe as probe_module
from backends.contract import Capabilities, Generation, Options, OutOfMemory, Score
from harness.accuracy.dry_run import dry_run
from harness.accuracy.prepare import DocumentRules, EvalRequest
from harness.accuracy.times.pace import LEAST_TOKENS
from harness.accuracy.times.probe import run_probe
from harness.suites.suite import TaskSelection
from zoo.registry.loader import load_registry

TASKS = ["--tasks", "nano_words,nano_sums", "--limit", 40, "--device", "cpu"]


@pytest.fixture(autouse=True)
def no_hub(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def dry(minizoo, tmp_path):
    def call(*words, model="nano-teacher"):
        ran = minizoo("eval", model, *(words or TASKS), "--dry-run", "--results", tmp_path / "results")
        assert ran.code == 0, ran.err
        return ran

    return call


class Fake:
    """A backend that scores at once and takes a millisecond for a new token, and keeps what it was asked."""

    name, device, dtype, versions, tokenizer = "fake", "cpu", "float32", {}, None
    capabilities = Capabilities(True, True, False, 512)
    shares_prefixes = True

    def __init__(self, fault=None, endless=False, short=False):
        self.fault, self.endless, self.short = fault, endless, short
        self.scored, self.written, self.closed = [], [], False

    def score(self, requests):
        self.scored.append(list(requests))
        while self.endless:
            pass
        for index, _ in enumerate(requests):
            if self.fault:
                raise self.fault
            yield Score(index, -1.0, True)

    def generate(self, requests):
        self.written.append(list(requests))
        for index, request in enumerate(requests):
            new = request.settings.get("min_new_tokens", 0) if self.short else request.max_new_tokens
            time.sleep(new / 1000)
            yield Generation(index, tuple(range(new)), "length")

    def close(self):
        self.closed = True


@pytest.fixture
def fake(monkeypatch):
    def behave(**words):
        made = Fake(**words)
        monkeypatch.setattr(probe_module, "open_backend", lambda *_: made)
        return made

    return behave


@pytest.fixture
def probe():
    def of(tasks=("nano_words", "nano_sums"), limit=40):
        request = EvalRequest(
            "nano-teacher", selection=TaskSelection((), tasks), rules=DocumentRules(limit), options=Options("cpu")
        )
        made = dry_run(request).probe
        assert made is not None
        return made

    return of


def test_a_model_that_no_run_tells_of_is_probed_and_the_time_is_marked(dry, tmp_path):
    ran = dry()
    assert "nano-teacher is loaded and probed for 20 s of computing at most (--no-probe leaves it out)" in ran.err
    assert "of computing on" in ran.out
    told = [line for line in ran.out.splitlines() if line.startswith("'time': ")]
    assert [line.split(" at ")[0] for line in told] == ["'time': scores", "'time': generated text"]
    assert all(" s on this device (" in line and "by a probe of " in line for line in told)
    assert not (tmp_path / "results").exists()


def test_a_run_of_scores_leaves_only_generated_text_to_a_probe(dry, minizoo, tmp_path):
    scores = ["--tasks", "nano_words", "--limit", 40, "--device", "cpu"]
    assert minizoo("eval", "nano-teacher", *scores, "--results", tmp_path / "results").code == 0
    ran = dry(*TASKS, "--json")
    assert ran.json()["time"]["kinds"] == {"scores": "store", "generated text": "probe"}
    assert ran.json()["time"]["basis_kind"] == "probe"
    assert "No run here tells the time of generated text:" in ran.err
    assert "probed" not in dry(*scores).err


def test_no_probe_leaves_it_out_and_says_how_to_get_a_time(dry, minizoo):
    ran = dry(*TASKS, "--no-probe")
    assert "probed" not in ran.err
    assert "or without --no-probe" in ran.out
    assert minizoo("eval", "nano-teacher", "--no-probe").code == 2


def test_a_model_whose_weights_are_not_here_is_not_probed_and_has_its_memory_by_dimensions(dry):
    words = ["--tasks", "hellaswag,gsm8k", "--device", "cpu"]
    ran = dry(*words, "--json", model="mistral-nemo-minitron-8b")
    (memory,) = ran.json()["memory"]
    assert memory["parts"]["weights"] == 4 * load_registry().models["mistral-nemo-minitron-8b"].parameters
    assert memory["total"] == sum(memory["parts"].values())
    assert ran.json()["time"]["basis_kind"] is None
    assert "probed" not in ran.err
    assert "no probe was made, for its weights are not here" in dry(*words, model="mistral-nemo-minitron-8b").out


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (OutOfMemory("no room for 3 GB"), "out of memory: no room for 3 GB"),
        (RuntimeError("it fell over"), "RuntimeError: it fell over"),
        (ValueError("a setting is refused"), "a setting is refused"),
    ],
)
def test_an_engine_that_fails_is_told_in_a_line_and_the_time_is_unknown(dry, fake, fault, told):
    made = fake(fault=fault)
    ran = dry("--tasks", "nano_words", "--limit", 40, "--device", "cpu")
    assert told in ran.err
    assert ran.err.count("The probe of scores failed") == 1
    assert "Time: unknown" in ran.out
    assert made.closed


def test_an_interrupt_ends_the_probe_alone(dry, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(probe_module, "open_backend", interrupted)
    ran = dry()
    assert "The probe was stopped." in ran.err
    assert "Time: unknown" in ran.out


def test_a_call_that_does_not_end_is_stopped(probe, fake):
    made = fake(endless=True)
    outcome = run_probe(probe(), ["scores", "generated text"], lambda step: None, most_s=0.2)
    assert "scores" not in outcome.probed
    assert outcome.told[0].startswith("The probe of scores found no pace")
    assert made.closed


def test_too_few_requests_tell_nothing(dry):
    ran = dry("--tasks", "nano_words", "--limit", 1, "--shots", 0, "--device", "cpu")
    assert "are too few to tell" in ran.err
    assert "Time: unknown" in ran.out


def test_what_is_run_are_whole_documents_from_all_over_the_plan(probe, fake):
    made, plan = fake(), probe(("nano_words", "nano_endings", "nano_sums"))
    outcome = run_probe(plan, ["scores", "generated text"], lambda step: None)
    documents = {}
    for unit in plan.units:
        documents.setdefault((unit.task, unit.key.doc_id), []).append(unit.request)
    for asked in made.scored:
        taken = [key for key, requests in documents.items() if requests[0] in asked]
        assert [request for key in taken for request in documents[key]] == asked
    assert {task for task, _ in taken} == {"nano_words", "nano_endings"}
    assert outcome.probed["scores"].tokens >= LEAST_TOKENS["scores"]
    prompts = [unit.request.prompt for unit in plan.units if unit.task == "nano_sums"]
    warm, *measured = made.written
    assert all(request.prompt in prompts for asked in measured for request in asked)
    assert all(any(prompt[-len(request.prompt) :] == request.prompt for prompt in prompts) for request in warm)
    assert outcome.probed["generated text"].tokens >= LEAST_TOKENS["generated text"]


def test_answers_that_end_at_once_are_asked_for_again_so_that_they_do_not(probe, fake):
    made = fake(short=True)
    outcome = run_probe(probe(("nano_sums",)), ["generated text"], lambda step: None)
    assert outcome.probed["generated text"].tokens >= LEAST_TOKENS["generated text"]
    assert all(request.settings["min_new_tokens"] == request.max_new_tokens for request in made.written[-1])


def test_the_alarm_of_others_goes_on(probe, fake):
    fake()
    before = signal.getsignal(signal.SIGALRM)
    timer = signal.getitimer(signal.ITIMER_REAL)
    run_probe(probe(), ["scores"], lambda step: None)
    assert signal.getsignal(signal.SIGALRM) is before
    assert (signal.getitimer(signal.ITIMER_REAL)[0] > 0) == (timer[0] > 0)
