"""Workers: started, asked for turns one after the other, ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]


class Worker:
    """A process that measures one thing, turn by turn; `python` is its interpreter."""

    def __init__(self, job: str, told: dict[str, Any], python: Path | str = sys.executable) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        environment |= {"OMP_NUM_THREADS": str(told["threads"]), "MKL_NUM_THREADS": str(told["threads"])}
        self.job = job
        self.process = subprocess.Popen(
            [str(python), "-m", "benchmarks.distillation.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=ROOT,
        )
        self.opened = self._ask({"job": job, **told})

    def turn(self, **told: Any) -> dict[str, Any]:
        """What the worker measured in one turn."""
        return self._ask(told)

    def _ask(self, told: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"The process that measures `{self.job}` ended with {self.process.wait()}.")
        return json.loads(line)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()
