"""Which engine passed which check, as a table in docs/engines.md: from outcomes that were really measured.

    python benchmarks/engine_matrix.py run --python VLLM_PYTHON [--dtype bfloat16] [--model nano-teacher]
    python benchmarks/engine_matrix.py page

`run` asks every check of a real vLLM and keeps the outcome in engine_matrix.json beside this file, one a key; `page` writes the
table anew, with the outcomes that ship with minizoo. What has never run anywhere is a row without a mark.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from backends.conformance.outcome import Outcome  # noqa: E402
from backends.conformance.shipped import shipped  # noqa: E402
from backends.conformance.table import CHECKS  # noqa: E402

KEPT = HERE / "engine_matrix.json"
PAGE = HERE.parent / "docs" / "engines.md"
MARKS = {"pass": "✓", "fail": "✗", "skip": "–"}
NEVER = (
    ("vllm", "0.32 and 0.33", "a GPU: all of it, CUDA graphs and asynchronous scheduling included"),
    ("vllm", "0.33", "a CPU"),
    ("vllm", "0.32 and 0.33", "tensor parallelism; a worker a GPU"),
    ("vllm", "0.32 and 0.33", "quantised weights (fp8, int4)"),
    ("vllm", "0.32 and 0.33", "the V2 model runner, and with it rows that leave out what was cached"),
    ("trtllm", "1.3.0rc11 to 1.4", "all of it, for want of a GPU and an installation: written against its sources"),
)
"""(engine, version, what) that nobody ran with minizoo."""


def kept() -> list[Outcome]:
    """The outcomes in the file beside this one, in order of their keys."""
    found = json.loads(KEPT.read_text("utf-8"))["outcomes"] if KEPT.exists() else []
    return sorted(map(Outcome.from_dict, found), key=lambda outcome: str(outcome.key))


def run(args: argparse.Namespace) -> int:
    """Ask a real vLLM every check and keep the outcome; 1 where one failed."""
    from backends.conformance.reference import plain_reference
    from backends.conformance.run import run_checks
    from backends.contract import Options
    from backends.vllm.backend import open_vllm
    from zoo.checkpoint.locate import locate, outline
    from zoo.checkpoint.model_ref import resolve

    checkpoint = locate(outline(resolve(args.model)))
    options = Options(device="cpu", dtype=args.dtype, python=args.python)
    opened = partial(open_vllm, checkpoint, options)
    backend = opened()
    try:
        outcome = run_checks(
            backend, checkpoint, plain_reference(checkpoint), watch=partial(print, file=sys.stderr), reopen=opened
        )
    finally:
        backend.close()
    others = [one for one in kept() if one.key != outcome.key]
    document = {"outcomes": [one.to_dict() for one in sorted([*others, outcome], key=lambda one: str(one.key))]}
    KEPT.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for check in outcome.checks:
        print(f"{check.check:20} {check.verdict:5} {check.said}")
    return 0 if outcome.passed else 1


def matrix() -> str:
    """The generated part of the page: a column an outcome, a row a check, then what has never run."""
    outcomes = [*shipped_of_one_model(), *kept()]
    heads = [f"`{one.key.backend}`, {one.key.engine}, {one.key.device}, {one.key.dtype}" for one in outcomes]
    lines = [f"| check | {' | '.join(heads)} |", f"|---|{'---|' * len(outcomes)}"]
    for check in CHECKS:
        cells = [_cell(one, check.name) for one in outcomes]
        lines.append(f"| `{check.name}` | {' | '.join(cells)} |")
    models = sorted({one.model for one in outcomes})
    told = "✓ passed, ✗ failed, – could not be asked there (the outcome says why: `benchmarks/engine_matrix.json`)."
    lines += ["", f"{told} Asked with {', '.join(models)}.", ""]
    lines += ["| engine | version | never run with minizoo |", "|---|---|---|"]
    lines += [f"| `{engine}` | {version} | {what} |" for engine, version, what in NEVER]
    return "\n".join(lines) + "\n"


def shipped_of_one_model() -> list[Outcome]:
    """Of the shipped outcomes those of nano-teacher's class, one a key: what vLLM was asked with stands beside."""
    by_key = {str(one.key): one for one in shipped() if one.key.architecture == "LlamaForCausalLM"}
    return [by_key[key] for key in sorted(by_key)]


def _cell(outcome: Outcome, name: str) -> str:
    return next((MARKS[one.verdict] for one in outcome.checks if one.check == name), "")


def page() -> str:
    """docs/engines.md with the table as the outcomes have it."""
    text = PAGE.read_text("utf-8")
    made = f"<!-- matrix:begin -->\n{matrix()}<!-- matrix:end -->"
    return re.sub(r"<!-- matrix:begin -->\n.*<!-- matrix:end -->", lambda _: made, text, flags=re.DOTALL)


def main() -> int:
    words: Any = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = words.add_subparsers(dest="what", required=True)
    running = parts.add_parser("run")
    running.add_argument("--python", required=True)
    running.add_argument("--dtype", default="float32")
    running.add_argument("--model", default="nano-teacher")
    parts.add_parser("page")
    args = words.parse_args()
    if args.what == "run":
        return run(args)
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
