"""HumanEval and MBPP are judged right: their reference solutions pass, and wrong ones fail."""

from __future__ import annotations

import os
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from support.canonical import MBPP_BROKEN, humaneval_docs, humaneval_mutant, mbpp_docs

import harness
from harness.sandbox.runner import isolation, run_programs


@pytest.fixture(scope="module")
def judge() -> Any:
    """The code tasks' judge, loaded from its file as lm-eval loads it."""
    if isolation() is None:
        pytest.skip("no sandbox can be had on this machine")
    spec = util.spec_from_file_location("judge", Path(harness.__file__).parent / "tasks/code/judge.py")
    assert spec
    assert spec.loader
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.TIMEOUT_S = 30.0  # what is judged here is right and wrong, on a machine that may be busy
    return module


def test_every_reference_solution_of_humaneval_passes_and_every_mutated_one_fails(judge: Any):
    docs = humaneval_docs()
    assert len(docs) == 164
    judged = judge.humaneval([[doc["canonical_solution"], humaneval_mutant(doc)] for doc in docs], docs)
    assert [doc["task_id"] for doc, (right, _) in zip(docs, judged, strict=True) if not right["passed"]] == []
    assert [doc["task_id"] for doc, (_, wrong) in zip(docs, judged, strict=True) if wrong["passed"]] == []
    assert {wrong["reason"].split(":")[0] for _, wrong in judged} <= {"AssertionError", "TypeError"}


def test_every_reference_solution_of_mbpp_passes_and_its_one_slow_one_is_known(judge: Any, data: Path):
    docs = mbpp_docs(data)
    assert len(docs) == 974
    quick = [doc for doc in docs if doc["task_id"] not in MBPP_BROKEN]
    judged = judge.mbpp([[doc["code"]] for doc in quick], quick)
    failed = {doc["task_id"]: v["reason"] for doc, (v,) in zip(quick, judged, strict=True) if not v["passed"]}
    assert failed == {}
    (slow,) = [doc for doc in docs if doc["task_id"] in MBPP_BROKEN]
    program = judge.mbpp_program(slow, slow["code"])
    assert run_programs([program], timeout_s=0.5)[0].reason == "timed out after 0.5 s"
    assert run_programs([program], timeout_s=120)[0].passed


def test_wrong_answers_to_mbpp_fail(judge: Any, data: Path):
    docs = mbpp_docs(data)[:12]
    swapped = [*docs[1:], docs[0]]
    assert not any(v["passed"] for (v,) in judge.mbpp([[doc["code"]] for doc in swapped], docs))


WITH_A_LIBRARY = {
    "numpy": "    import numpy as np\n    return float(np.abs(np.array(x)))",
    "a thread": "    import threading\n    t = threading.Thread(target=abs, args=(x,)); t.start(); t.join()\n    return abs(x)",
    "what nobody has": "    import no_such_package\n    return abs(x)",
    "what the usual runner takes away": "    import os\n    os.getcwd()\n    return abs(x)",
}


def test_answers_to_either_benchmark_find_what_its_usual_runner_has(judge: Any):
    humaneval = {"prompt": "def size(x):\n", "test": "def check(f):\n    assert f(-2) == 2", "entry_point": "size"}
    (judged,) = judge.humaneval([list(WITH_A_LIBRARY.values())], [humaneval])
    mbpp = {"test_setup_code": "", "test_list": ["assert size(-2) == 2"]}
    (again,) = judge.mbpp([[f"def size(x):\n{body}" for body in WITH_A_LIBRARY.values()]], [mbpp])
    for verdicts in (judged, again):
        assert [verdict["passed"] for verdict in verdicts] == [True, True, False, False], verdicts


MALICE = {
    "ends early": "    import os; os._exit(0)",
    "leaves": "    raise SystemExit(0)",
    "quits": "    quit()",
    "loops": "    while True: pass",
    "recurses": "    return has_close_elements(numbers, threshold)",
    "takes memory": "    return bytearray(2**40)",
    "forks": "    import os\n    while True: os.fork()",
    "kills": "    import os, signal\n    os.kill(os.getppid(), signal.SIGKILL)",
    "kills all": "    import os, signal\n    os.kill(-1, signal.SIGKILL)",
    "deletes": "    import shutil\n    shutil.rmtree('/usr')",
    "calls home": "    import urllib.request\n    return urllib.request.urlopen('http://127.0.0.1')",
    "reads our environment": "    import os\n    return open(f'/proc/{os.getppid()}/environ').read()",
    "floods": "    import sys\n    while True: print('x' * 10**6); sys.stdout.flush()",
    "guesses": "    import os\n    for fd in range(99): os.write(fd, b'0' * 32)",
    "skips its tests": "    pass\n\nimport os; os._exit(0)\n",
    "ends the interpreter on the way out": "    pass\n\nimport atexit, os; atexit.register(os._exit, 0)\n",
    "swallows errors": "    pass\n\nimport sys; sys.excepthook = lambda *_: None\n",
}


def test_no_malicious_answer_scores_escapes_or_hangs(judge: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(judge, "TIMEOUT_S", 3.0)
    doc, ours = humaneval_docs()[0], os.getpid()
    before = set(Path("/tmp").glob("minizoo-sandbox-*"))
    (judged,) = judge.humaneval([list(MALICE.values())], [doc])
    assert [how for how, verdict in zip(MALICE, judged, strict=True) if verdict["passed"]] == []
    assert all(verdict["reason"] for verdict in judged)
    assert judge.pass_at_k(doc, [judged])["pass@1"] == 0.0
    assert os.getpid() == ours
    assert set(Path("/tmp").glob("minizoo-sandbox-*")) <= before
    assert Path("/usr/bin").is_dir()


def test_a_program_that_is_written_twice_is_run_once_and_counted_twice(judge: Any, monkeypatch: pytest.MonkeyPatch):
    ran: list[str] = []

    def watched(programs: list[str], timeout_s: float) -> Any:
        ran.extend(programs)
        return run_programs(programs, timeout_s)

    monkeypatch.setattr("harness.sandbox.runner.run_programs", watched)
    doc = humaneval_docs()[0]
    (judged,) = judge.humaneval([[doc["canonical_solution"], "    return 1", doc["canonical_solution"]]], [doc])
    assert [v["passed"] for v in judged] == [True, False, True]
    assert len(ran) == 2
    assert judge.pass_at_k(doc, [judged]) == {"pass@1": pytest.approx(2 / 3)}
