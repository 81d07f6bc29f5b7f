"""SmolLM2-135M the whole way: python examples/smollm2/run.py MIRROR [WORK].

Runs every command of README.md that is not done yet. MIRROR is a mirror of hub data sets with WikiText-2, HellaSwag and MMLU
(`minizoo data pull` fills one), WORK the folder of all that is made. What each command took (seconds, processor seconds, the
most memory) goes to WORK/cost.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(os.path.relpath(Path(__file__).parent))
TOKENS, BATCH, LENGTH, RATE, WARM_UP = 196_608, 4, 256, 2e-4, 4
ROWS = ["--tokens", str(TOKENS), "--batch", str(BATCH), "--length", str(LENGTH)]
TRAINING = [*ROWS, "--rate", str(RATE), "--warm-up", str(WARM_UP)]
MODELS = {
    "q4_1": "smollm2-135m-instruct-q4_1",
    "pruned": "smollm2-135m-ffn-1152-pruned",
    "distilled": "smollm2-135m-ffn-1152",
}
"""The folder in WORK, and the registry's name of what it holds."""


@dataclass(frozen=True)
class Step:
    """A command, and the folder or file that is there once it was run; None: it is run each time."""

    words: list[str]
    makes: Path | None = None


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    command: str
    seconds: float
    processor_seconds: float
    most_memory_mib: float


def steps(work: Path, mirror: Path) -> Iterator[Step]:
    """The commands of README.md in order."""
    text, results = work / "text" / "train.jsonl", ["--results", str(work / "results")]
    parent, pruned, distilled = (work / name for name in MODELS)
    yield Step(["python", str(HERE / "weights.py"), str(parent)], parent)
    yield Step(["python", str(HERE / "tasks" / "pages.py"), str(work / "text"), "--mirror", str(mirror)], text)
    cut = ["--target", "ffn=1152", "--calibration", str(text), "--samples", "24", "--out", str(pruned)]
    yield Step(["minizoo", "prune", str(parent), *cut], pruned)
    pair = ["--student", str(pruned), "--teacher", str(parent), "--data", str(text)]
    kept = ["--save-every", "8", "--mirror", str(mirror), "--out", str(distilled)]
    yield Step(["minizoo", "distill", *pair, *TRAINING, *kept], distilled)
    for folder, name in MODELS.items():
        suite = ["--suite", str(HERE / "suite.yaml"), "--data", str(mirror), *results]
        yield Step(["minizoo", "eval", str(work / folder), "--name", name, *suite], work / f".{folder}.measured")
    for before, after in (("q4_1", "pruned"), ("pruned", "distilled"), ("q4_1", "distilled")):
        yield Step(["minizoo", "compare", MODELS[before], MODELS[after], *results])
    yield Step(["minizoo", "show", MODELS["distilled"], *results])


def run(step: Step) -> Cost:
    """Run a command to its end, in this interpreter's environment; exits as it does where it fails."""
    own = {"python": [sys.executable], "minizoo": [sys.executable, "-m", "minizoo"]}
    began = time.perf_counter()
    child = subprocess.Popen([*own[step.words[0]], *step.words[1:]])
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 3):  # 3: nothing of a comparison could be resolved
        sys.exit(child.returncode)
    seconds, processor = time.perf_counter() - began, used.ru_utime + used.ru_stime
    return Cost(shlex.join(step.words), round(seconds, 1), round(processor, 1), round(used.ru_maxrss / 1024, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mirror", type=Path, help="Mirror of hub data sets.")
    parser.add_argument("work", type=Path, nargs="?", default=Path("smollm2"), help="Folder of all that is made.")
    parser.add_argument("--print", action="store_true", help="Print the commands and run nothing.")
    asked = parser.parse_args()
    costs = asked.work / "cost.json"
    for step in steps(asked.work, asked.mirror):
        print(f"$ {shlex.join(step.words)}", flush=True)
        if asked.print or (step.makes is not None and step.makes.exists()):
            continue
        cost = run(step)
        if step.makes is not None:
            if not step.makes.exists():
                step.makes.touch()
            known = json.loads(costs.read_text("utf-8")) if costs.exists() else []
            costs.write_text(json.dumps([*known, asdict(cost)], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
