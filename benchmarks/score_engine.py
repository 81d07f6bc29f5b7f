"""One engine answering one task in a process of its own, so that its peak memory is its own.

Reads a job as JSON on stdin, writes what it measured as JSON on stdout. Started by score.py.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

TURN = 10.0
"""Seconds that a turn takes at least: what is done in two would be at the mercy of a moment."""


def main() -> None:
    job = json.load(sys.stdin)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    out = os.dup(1)
    os.dup2(2, 1)  # whatever libraries print is not part of the answer
    import torch

    torch.set_num_threads(job["threads"])
    loaded, instances = _instances(job)
    kind = "generation" if instances[0].request_type == "generate_until" else "scoring"
    measured = ENGINES[job["engine"], kind](job, loaded, instances)
    measured["documents"] = [i.doc_id for i in instances]
    measured["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if torch.cuda.is_available():
        measured["peak_gpu_bytes"] = torch.cuda.max_memory_allocated()
    with os.fdopen(out, "w") as file:
        json.dump(measured, file)


def _instances(job: dict[str, Any]) -> tuple[Any, list[Any]]:
    """lm-eval's own requests for the first documents of the task."""
    from harness.lmeval.loading.tasks import load_tasks
    from harness.suites.suite import suite_of

    (loaded,) = load_tasks(suite_of((job["task"],), job["shots"]), Path(job["data"])).tasks.values()
    loaded.task.set_fewshot_seed(1234)
    loaded.task.build_all_requests(limit=job["documents"])
    return loaded, loaded.task.instances


def _hflm(job: dict[str, Any], loaded: Any, instances: list[Any]) -> dict[str, Any]:
    lm = _opened_hflm(job)
    shapes: list[tuple[int, int]] = []
    call = lm._model_call

    def counted(inps: Any, *args: Any, **kwargs: Any) -> Any:
        shapes.append(tuple(inps.shape))
        return call(inps, *args, **kwargs)

    lm._model_call = counted
    lm.loglikelihood(instances[:1], disable_tqdm=True)

    def score() -> Any:
        shapes.clear()
        return lm.loglikelihood(instances, disable_tqdm=True)

    times, answers = _timed(score)
    return {**times, "answers": [[float(a), bool(b)] for a, b in answers], "shapes": shapes}


def _hflm_generation(job: dict[str, Any], loaded: Any, instances: list[Any]) -> dict[str, Any]:
    lm = _opened_hflm(job)
    times, texts = _timed(lambda: lm.generate_until(instances, disable_tqdm=True))
    return {**times, "answers": texts}


def _packed(job: dict[str, Any], loaded: Any, instances: list[Any]) -> dict[str, Any]:
    from backends.packing.prefix_tree import PrefixTree
    from backends.packing.score import tree_of

    backend, encoder = _opened(job)

    def score(some: list[Any]) -> tuple[list[Any], list[Any]]:
        requests = _requests(encoder, loaded, some)
        return requests, sorted(backend.score(requests), key=lambda s: s.index)

    score(instances[:1])
    times, (requests, scores) = _timed(lambda: score(instances))
    tree = tree_of(requests)
    return {
        **times,
        "answers": [[s.logprob, s.greedy] for s in scores],
        "tokens": len(tree),
        "ideal": _ideal(requests, PrefixTree),
    }


def _packed_generation(job: dict[str, Any], loaded: Any, instances: list[Any]) -> dict[str, Any]:
    from harness.lmeval.responses import cut_at_stops

    backend, encoder = _opened(job)

    def generate() -> list[str]:
        requests = _requests(encoder, loaded, instances)
        done = sorted(backend.generate(requests), key=lambda g: g.index)
        return [cut_at_stops(backend.tokenizer.decode(g.tokens), requests[g.index].stop) for g in done]

    times, texts = _timed(generate)
    return {**times, "answers": texts}


def _exact(job: dict[str, Any], loaded: Any, instances: list[Any]) -> dict[str, Any]:
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from support.exact import exact_scores

    _, encoder = _opened(job)
    return {"answers": exact_scores(job["model"], _requests(encoder, loaded, instances))}


ENGINES = {
    ("exact", "scoring"): _exact,
    ("hflm", "scoring"): _hflm,
    ("hflm", "generation"): _hflm_generation,
    ("packed", "scoring"): _packed,
    ("packed", "generation"): _packed_generation,
}


def _requests(encoder: Any, loaded: Any, instances: list[Any]) -> list[Any]:
    documents = [SimpleNamespace(doc_id=i.doc_id, instances=[i]) for i in instances]
    return [unit.request for unit in encoder.units(loaded, documents)]


def _opened_hflm(job: dict[str, Any]) -> Any:
    from lm_eval.models.huggingface import HFLM

    options = {"softmax_dtype": "float32"} if job["dtype"] != "float32" else {}
    return HFLM(**_pretrained(job), dtype=job["dtype"], device=job["device"], batch_size=job["batch_size"], **options)


def _pretrained(job: dict[str, Any]) -> dict[str, Any]:
    """What HFLM loads: a folder, or random weights in memory."""
    if not job["random"]:
        return {"pretrained": job["model"]}
    from transformers import AutoTokenizer

    from backends.random.config import random_checkpoint
    from backends.random.draw import random_model
    from zoo.checkpoint.model_ref import resolve

    model = random_model(random_checkpoint(resolve(job["model"])), job["device"], job["dtype"])
    return {"pretrained": model, "tokenizer": AutoTokenizer.from_pretrained(job["model"])}


def _opened(job: dict[str, Any]) -> tuple[Any, Any]:
    """minizoo's backend over the same weights, and its encoder."""
    from backends.contract import Options
    from backends.hf.backend import open_hf
    from backends.random.backend import open_random
    from backends.random.config import random_checkpoint
    from backends.tokenizer import HfTokenizer
    from harness.lmeval.encoding import Encoder
    from zoo.checkpoint.locate import open_folder
    from zoo.checkpoint.model_ref import resolve

    options = Options(job["device"], job["dtype"], job["row_budget"])
    if job["random"]:
        checkpoint = random_checkpoint(resolve(job["model"]))
        backend = open_random(checkpoint, options, tokenizer=HfTokenizer(checkpoint.folder))
    else:
        checkpoint = open_folder(Path(job["model"]))
        backend = open_hf(checkpoint, options)
    assert backend.versions["scoring"] == "packed", backend.versions["scoring"]
    return backend, Encoder(backend.tokenizer, checkpoint.max_length)


def _ideal(requests: list[Any], tree_type: Any) -> dict[str, int]:
    """Of the tree that shares every common token: its tokens, the positions asked, and the query–key pairs."""
    import numpy as np

    from backends.packing import prefix_tree as packing

    packing.WORTH_SHARING = 1
    tree = tree_type(((r.context + r.continuation)[:-1] for r in requests), [r.continuation for r in requests])
    row = tree.row(0, len(tree))
    return {"tokens": len(tree), "asked": len(row.scored), "pairs": int(np.sum(tree.depths + 1))}


def _timed(call: Any) -> tuple[dict[str, float], Any]:
    """Wall seconds, and processor seconds of all threads, which other work on the machine disturbs less.

    The mean of as many calls as fill a turn; neither engine keeps an answer from one to the next.
    """
    import torch

    calls, result = 0, None
    started, worked = time.perf_counter(), time.process_time()
    while not calls or time.perf_counter() - started < TURN:
        result = call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        calls += 1
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - worked
    return {"seconds": seconds / calls, "cpu_seconds": cpu_seconds / calls}, result


if __name__ == "__main__":
    main()
