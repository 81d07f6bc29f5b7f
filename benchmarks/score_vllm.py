"""Scoring by vLLM, side by side on the same requests: lm-eval's own vLLM model, minizoo's vllm backend with its prefix cache
and without, and minizoo's hf.

    python benchmarks/score_vllm.py --data ../shared/data --tokenizer ../shared/tokenizers/gpt2 --python VLLM_PYTHON
    python benchmarks/score_vllm.py … --stock STOCK_PYTHON --documents 8

STOCK_PYTHON is a third interpreter, with vLLM and lm-eval (docs/engines.md has the lines); without it that side is left out,
and said to be. Every side answers in a process of its own, with `--threads` threads; seconds are those of the scoring call
alone, the fastest of `--repeats`, after one request that warms up. Differences are against `hf`. Exits 1 where a score is
further from it than TOLERANCE, a likeliest answer is another, or a greedy flag differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from benchmarks.score import CASES, Case  # noqa: E402
from benchmarks.score_answers import differences  # noqa: E402
from benchmarks.shapes import SHAPES, write_shape  # noqa: E402

SIDES = ("hf", "vllm", "vllm without its prefix cache", "lm-eval's vllm")
TOLERANCE = 1e-3
"""|Δ log p| of an answer of up to some 60 tokens between two engines in fp32: three times what `score.py` allows of one."""


def main() -> int:
    args = _arguments()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.model or write_shape(args.shape, args.tokenizer, Path(scratch) / args.shape)
        for case in CASES:
            if not case.generates and (not args.tasks or case.task in args.tasks):
                rows.append(_measured(args, case, Path(folder)))
                print(_line(rows[-1]), file=sys.stderr, flush=True)
    document = {"sides": SIDES, "threads": args.threads, "model": str(args.model or args.shape), "rows": rows}
    if args.out:
        args.out.write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps(document))
    return 0 if all(side.get("equal", True) for row in rows for side in row["sides"].values()) else 1


def _measured(args: argparse.Namespace, case: Case, folder: Path) -> dict[str, Any]:
    """One task's requests by every side, and how far each is from hf."""
    documents = args.documents or case.documents
    job = {
        "model": str(folder), "task": case.task, "shots": case.shots, "documents": documents, "data": str(args.data),
        "repeats": args.repeats, "python": args.python,
    }  # fmt: skip
    told: dict[str, Any] = {}
    for side in SIDES:
        if side == SIDES[-1] and not args.stock:
            told[side] = {"left out": "no --stock"}
            continue
        told[side] = _answered({**job, "side": side}, args, args.stock if side == SIDES[-1] else sys.executable)
    truth = told[SIDES[0]]
    for side, measured in told.items():
        if side != SIDES[0] and "answers" in measured:
            worst, flips, greedy = differences(truth, {**measured, "documents": truth["documents"]})
            measured |= {"max_difference": worst, "flips": flips, "greedy_flips": greedy}
            measured["equal"] = worst <= TOLERANCE and not flips and not greedy
    for measured in told.values():
        measured.pop("answers", None)
        measured.pop("documents", None)
    return {"task": case.task, "shots": case.shots, "documents": documents, "sides": told}


def _answered(job: dict[str, Any], args: argparse.Namespace, python: str) -> dict[str, Any]:
    """What a side answers, in a process of its own."""
    stock = job["side"] == SIDES[-1]
    script = HERE / ("score_vllm_stock.py" if stock else "score_vllm.py")
    if stock:
        job = {**job, "requests": _requests(job)[0]}
    words = [python, str(script), *([] if stock else ["--side"])]
    surroundings = {**os.environ, "OMP_NUM_THREADS": str(args.threads), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(words, input=json.dumps(job), capture_output=True, text=True, check=False, env=surroundings)
    if done.returncode:
        sys.exit(f"{job['side']} failed on {job['task']}:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _requests(job: dict[str, Any]) -> tuple[list[list[str]], list[Any]]:
    """lm-eval's own requests of the first documents, as text, and as instances."""
    from benchmarks.score_engine import _instances

    instances = _instances(job)
    return [list(instance.args) for instance in instances], instances


def answer_side() -> None:
    """Answer the job on stdin with one of minizoo's backends."""
    job = json.loads(sys.stdin.read())
    from backends.contract import Options
    from backends.opening import open_backend
    from backends.vllm.backend import open_vllm
    from benchmarks.score_engine import _units
    from harness.lmeval.encoding import Encoder
    from zoo.checkpoint.locate import locate, outline
    from zoo.checkpoint.model_ref import resolve

    checkpoint = locate(outline(resolve(job["model"])))
    began = time.perf_counter()
    if job["side"] == SIDES[0]:
        opened: Any = open_backend(checkpoint, "hf", Options(device="cpu"))
    else:
        engine = {"enable_prefix_caching": job["side"] == SIDES[1]}
        opened = open_vllm(checkpoint, Options(device="cpu", python=job["python"], engine=engine))
    with closing(opened) as backend:
        opening = time.perf_counter() - began
        _, instances = _requests(job)
        requests = [unit.request for unit in _units(Encoder(backend.tokenizer, checkpoint.max_length), job, instances)]
        list(backend.score(requests[:1]))
        seconds, scores = [], []
        for _ in range(job["repeats"]):
            began = time.perf_counter()
            scores = sorted(backend.score(requests), key=lambda score: score.index)
            seconds.append(time.perf_counter() - began)
        answers = [[score.logprob, score.greedy] for score in scores]
        told = {
            "seconds": min(seconds), "all_seconds": seconds, "opening_seconds": opening, "requests": len(requests),
            "tokens": sum(len(r.context) + len(r.continuation) - 1 for r in requests),
            "answers": answers, "documents": [instance.doc_id for instance in instances], "versions": dict(backend.versions),
        }  # fmt: skip
    print(json.dumps(told))


def _line(row: dict[str, Any]) -> str:
    parts = [
        f"{side} {told['seconds']:.1f} s"
        + (f" (max |Δ| {told['max_difference']:.1e})" if "max_difference" in told else "")
        for side, told in row["sides"].items()
        if "seconds" in told
    ]
    return f"{row['task']} {row['shots']}-shot, {row['documents']} documents: {', '.join(parts)}"


def _arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--data", type=Path, required=True, help="a mirror of hub data sets")
    words.add_argument("--tokenizer", type=Path, required=True, help="a folder with GPT-2's tokenizer.json")
    words.add_argument("--python", default=os.environ.get("MINIZOO_VLLM_PYTHON"), help="the interpreter that has vLLM")
    words.add_argument("--stock", help="an interpreter that has vLLM and lm-eval")
    words.add_argument("--shape", choices=sorted(SHAPES), default="28.7M")
    words.add_argument("--model", help="a model instead of a shape")
    words.add_argument("--tasks", type=lambda text: tuple(text.split(",")), default=())
    words.add_argument("--documents", type=int, default=0)
    words.add_argument("--repeats", type=int, default=1)
    words.add_argument("--threads", type=int, default=1)
    words.add_argument("--out", type=Path)
    given = words.parse_args()
    if not given.python:
        words.error("name the interpreter that has vLLM: --python, or MINIZOO_VLLM_PYTHON")
    return given


if __name__ == "__main__":
    if sys.argv[1:] == ["--side"]:
        answer_side()
    else:
        sys.exit(main())
