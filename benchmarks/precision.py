"""How far log-likelihoods in fp32 lie from exact ones: lm-eval's HFLM and minizoo, each against the same model in fp64.

    python benchmarks/precision.py MODEL --data ../shared/data [--task hellaswag --shots 0 --documents 100]

MODEL is a folder of a Llama or a Mistral. Exact is transformers' own model with every weight, sum, norm, angle and log-softmax
in fp64; the rotary frequencies alone are the fp32 ones that both engines use. Exits 1 when minizoo's root mean square error
over all answers is more than a quarter larger than HFLM's, or when more of its likeliest answers differ from the exact ones.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from benchmarks.score import run_engine  # noqa: E402

FURTHER = 1.25
"""How much larger than HFLM's our error may be: two orders of the same sums differ by chance."""


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("model", type=Path)
    words.add_argument("--data", type=Path, required=True, help="mirror of hub data sets")
    words.add_argument("--task", default="hellaswag")
    words.add_argument("--shots", type=int, default=0)
    words.add_argument("--documents", type=int, default=100)
    words.add_argument("--threads", type=int, default=1)
    args = words.parse_args()
    job = {
        "model": str(args.model), "data": str(args.data), "task": args.task, "shots": args.shots,
        "documents": args.documents, "device": "cpu", "dtype": "float32", "threads": args.threads, "batch_size": 1,
        "row_budget": None, "random": False,
    }  # fmt: skip
    answers = {engine: run_engine({**job, "engine": engine}) for engine in ("exact", "hflm", "packed")}
    documents = answers["exact"]["documents"]
    exact = [answer[0] for answer in answers["exact"]["answers"]]
    rows = {
        name: measures([answer[0] for answer in answers[engine]["answers"]], exact, documents)
        for engine, name in (("hflm", "HFLM"), ("packed", "minizoo"))
    }
    print(
        json.dumps({"model": args.model.name, **{k: job[k] for k in ("task", "shots", "documents")}, **rows}, indent=1)
    )
    ours, theirs = rows["minizoo"], rows["HFLM"]
    further = ours["root_mean_square"] > FURTHER * theirs["root_mean_square"]
    return int(further or ours["flips"] > theirs["flips"])


def measures(found: Sequence[float], exact: Sequence[float], documents: Sequence[int]) -> dict[str, float]:
    """Largest and root mean square |Δ log p| of the answers in nats, and documents whose likeliest answer is another."""
    apart = [abs(a - b) for a, b in zip(found, exact, strict=True)]
    likeliest = [_likeliest(values, documents) for values in (found, exact)]
    return {
        "answers": len(apart),
        "largest": max(apart),
        "root_mean_square": math.sqrt(sum(x * x for x in apart) / len(apart)),
        "flips": sum(likeliest[0][doc] != likeliest[1][doc] for doc in likeliest[0]),
    }


def _likeliest(values: Sequence[float], documents: Sequence[int]) -> dict[int, int]:
    best: dict[int, tuple[float, int]] = {}
    for index, (value, document) in enumerate(zip(values, documents, strict=True)):
        if document not in best or value > best[document][0]:
            best[document] = (value, index)
    return {document: index for document, (_, index) in best.items()}


if __name__ == "__main__":
    sys.exit(main())
