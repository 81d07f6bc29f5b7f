"""What an engine breaks with: that the same command goes on is said of what may pass, and of nothing that will recur."""

import json

import pytest
from support.answering import AnsweringBackend

import harness.accuracy.run as accuracy
from backends.contract import OutOfMemory, Score
from harness.nvml import DeviceGone
from harness.records.outcome import failure_of

GOES_ON = "the same command goes on"
RECURS = [
    AttributeError("'NoneType' object has no attribute 'size'"), TypeError("unsupported operand"), KeyError("layers.3"),
    ValueError("this network does not fit"), IndexError("index 7 is out of bounds"), NotImplementedError("no such kernel"),
    AssertionError(""), RuntimeError("mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)"),
    RuntimeError("CUDA error: device-side assert triggered"), ZeroDivisionError("division by zero"),
    RuntimeError("FlashAttention only supports Ampere hardware or newer"), FileNotFoundError(2, "No such file", "engine.plan"),
    ImportError("no module flash_attn"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
]  # fmt: skip
PASSES = [
    DeviceGone("GPU is lost"), ConnectionResetError("peer"), TimeoutError("no answer"), OSError(28, "No space left on device"),
    RuntimeError("CUDA error: uncorrectable ECC error encountered"), RuntimeError("NCCL error: unhandled system error"),
    RuntimeError("CUDA-capable device(s) is/are busy or unavailable"), RuntimeError("CUDA error: unspecified launch failure"),
]  # fmt: skip
MEMORY = [
    OutOfMemory("tried to allocate 20 GiB"), MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 80000000000 bytes"),
]  # fmt: skip


@pytest.fixture
def evaluate(minizoo, tmp_path, monkeypatch):
    """Run `minizoo eval` of the nano teacher on a backend that breaks after some answers."""

    def call(error, after=2, *words):
        def score(index, request):
            if index == after and error:
                raise error
            return Score(index, -1.0 - index, False)

        monkeypatch.setattr(accuracy, "open_backend", lambda *_: AnsweringBackend(score))
        argv = ["eval", "nano-teacher", "--tasks", "nano_words", "--limit", 2, "--device", "cpu", "--results", tmp_path]
        ran = minizoo(*argv, *words, "--json")
        assert "Traceback" not in ran.err
        return ran.code, ran.json()

    return call


@pytest.mark.parametrize("error", RECURS, ids=repr)
def test_an_error_that_will_recur_says_so_and_what_to_try(evaluate, error):
    code, told = evaluate(error)
    assert (code, told["code"]) == (4, "backend-broke")
    assert type(error).__name__ in told["what"]
    assert GOES_ON not in told["hint"]
    assert "Expect the same again" in told["hint"]
    assert "--eager" in told["hint"]


@pytest.mark.parametrize("error", PASSES, ids=repr)
def test_of_a_cause_that_may_pass_it_is_said_that_the_same_command_goes_on(evaluate, error):
    code, told = evaluate(error)
    assert code == 4
    assert told["code"] == ("device-lost" if isinstance(error, DeviceGone) else "backend-broke")
    assert GOES_ON in told["hint"]


@pytest.mark.parametrize("error", MEMORY, ids=repr)
def test_memory_goes_on_only_where_others_hold_it(evaluate, error):
    code, told = evaluate(error)
    assert (code, told["code"]) == (4, "device-memory")
    assert "If others hold its memory, the same command goes on" in told["hint"]


@pytest.mark.parametrize("error", [PASSES[1], MEMORY[0], RECURS[0]], ids=repr)
def test_a_run_that_breaks_where_the_one_before_it_broke_says_so(evaluate, error):
    _, first = evaluate(error, 2)
    assert "same place" not in first["what"]
    _, again = evaluate(error, 0)  # two answers are kept by now: the third is the first to be asked
    assert "at the same place as the run before it, 2 answers kept" in again["what"]
    assert GOES_ON not in again["hint"]
    code, whole = evaluate(None)
    assert (code, whole["reused"], whole["records"][0]["status"]) == (0, 2, "ok")


def test_a_run_that_came_further_does_not_say_that_it_broke_at_the_same_place(evaluate):
    evaluate(PASSES[1], 2)
    _, further = evaluate(PASSES[1], 1)
    assert "same place" not in further["what"]
    assert GOES_ON in further["hint"]


def test_eager_is_not_what_to_try_where_it_was_tried(evaluate):
    _, told = evaluate(RECURS[0], 2, "--eager")
    assert "--eager" not in told["hint"]
    assert "another `--backend`" in told["hint"]


def test_what_an_earlier_version_left_is_taken_over(evaluate, tmp_path):
    evaluate(PASSES[1], 2)
    (path,) = tmp_path.glob("partial/*/run.json")
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "fault"}))
    assert evaluate(None)[1]["reused"] == 2


@pytest.mark.parametrize(
    ("answers", "says"),
    [([0, 1], "requests have no answer"), ([0, 0], "answer to request 0"), ([0, 99], "answer to request 99")],
)
def test_a_backend_that_leaves_out_or_invents_answers_is_told(minizoo, tmp_path, monkeypatch, answers, says):
    backend = AnsweringBackend()
    backend.score = lambda requests: iter([Score(index, -1.0, False) for index in answers])
    monkeypatch.setattr(accuracy, "open_backend", lambda *_: backend)
    argv = ["eval", "nano-teacher", "--tasks", "nano_words", "--limit", 2, "--device", "cpu", "--results", tmp_path]
    ran = minizoo(*argv, "--json")
    assert (ran.code, ran.json()["code"]) == (4, "backend-broke")
    assert says in ran.json()["what"]


def test_a_result_that_cannot_be_written_for_want_of_permission_does_not_ask_for_space(minizoo, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(accuracy, "open_backend", lambda *_: AnsweringBackend())
    monkeypatch.setattr("harness.accuracy.recorder.write_record", refuse)
    argv = ["eval", "nano-teacher", "--tasks", "nano_words", "--limit", 2, "--device", "cpu", "--results", tmp_path]
    ran = minizoo(*argv, "--json")
    assert (ran.code, ran.json()["code"]) == (4, "not-writable")
    assert "free some space" not in ran.json()["hint"]


@pytest.mark.parametrize("error", RECURS, ids=repr)
def test_the_record_of_a_speed_point_has_the_same_cause(error):
    failure = failure_of(error)
    assert (failure.code, failure.status, failure.may_pass) == ("backend-broke", "infra_failed", False)
