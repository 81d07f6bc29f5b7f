"""How fast generated code is judged: 164 reference solutions of HumanEval and 164 mutated ones, then MBPP's 974.

    python benchmarks/sandbox.py [--data DIR] [--out FILE.json]

Verdicts are held to what is known first; a time counts only with all of them right.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.canonical import MBPP_BROKEN, humaneval_docs, humaneval_mutant, mbpp_docs

from harness.sandbox.runner import require_isolation, run_programs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="mirror that holds MBPP")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found: dict[str, Any] = {
        "isolation": require_isolation(),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg(),
    }
    docs = humaneval_docs()
    programs = [f"{d['prompt']}{d['canonical_solution']}\n{d['test']}\ncheck({d['entry_point']})\n" for d in docs]
    programs += [f"{d['prompt']}{humaneval_mutant(d)}\n{d['test']}\ncheck({d['entry_point']})\n" for d in docs]
    before = children_s()
    seconds, passed = timed(programs)
    assert passed == set(range(164)), "the verdicts are wrong"
    found |= {"humaneval_s": seconds, "humaneval_cpu_s": children_s() - before}
    if options.data:
        docs = mbpp_docs(options.data)
        seconds, passed = timed(["\n".join([d["code"], d["test_setup_code"], *d["test_list"], ""]) for d in docs])
        failed = {d["task_id"] for i, d in enumerate(docs) if i not in passed}
        assert failed <= set(MBPP_BROKEN), f"the verdicts are wrong: {failed}"
        found |= {"mbpp_s": seconds, "mbpp_passed": len(passed), "mbpp_failed": sorted(failed)}
    print(json.dumps(found, indent=1))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


def children_s() -> float:
    """Processor time of all processes that this one has seen the end of."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(programs: list[str]) -> tuple[float, set[int]]:
    start = time.perf_counter()
    verdicts = run_programs(programs)
    return time.perf_counter() - start, {i for i, verdict in enumerate(verdicts) if verdict.passed}


if __name__ == "__main__":
    main()
