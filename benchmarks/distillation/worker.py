"""One thing to measure in a process of its own, so that its peak memory is its own.

Reads jobs from stdin, a line of JSON each, and answers each with a line of stdout. The first says what is measured (`job`, a
name of JOBS) and with what; it is set up and answered with what that took. Each later line is one turn. Imports nothing but the
standard library itself: the interpreter may be one that has no minizoo.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
from typing import Any, Protocol

JOBS = {
    "loss": "benchmarks.distillation.losses:LossJob",
    "cache": "benchmarks.distillation.caches:CacheJob",
    "bias": "benchmarks.distillation.biases:BiasJob",
    "step": "benchmarks.distillation.steps:StepJob",
    "parts": "benchmarks.distillation.steps:PartsJob",
    "trl": "benchmarks.distillation.trl_steps:TrlJob",
}

Told = dict[str, Any]


class Job(Protocol):
    """Made from the first line; `turn` takes each later one and says what it measured."""

    def turn(self, told: Told) -> Told: ...


def main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print is not part of the answer
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    job: Job | None = None
    for line in sys.stdin:
        told = json.loads(line)
        if job is None:
            job, answer = _opened(told), {}
        else:
            answer = job.turn(told)
        out.write(json.dumps(answer) + "\n")
        out.flush()


def _opened(told: Told) -> Job:
    import torch

    torch.set_num_threads(told["threads"])
    module, name = JOBS[told["job"]].split(":")
    return getattr(importlib.import_module(module), name)(told)


def _end_with(parent: int) -> None:
    """End where whoever asked was killed: nobody would read the answer."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    main()
