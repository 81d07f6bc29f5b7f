"""One engine answering one task in a process of its own, so that its peak memory is its own.

Reads jobs from stdin, a line of JSON each, and writes what it measured to stdout likewise. A later job adds to the one before
and finds its model in memory. Started by score.py, and by rows/scoring.py, whose jobs bring their requests.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.score_models import check_room, opened, opened_hflm, setting_before, setting_for

TURN = 10.0
"""Seconds that a turn takes at least, where the job does not say (`turn`): what is done in two would be at the mercy of a
moment."""

Job = dict[str, Any]
Measure = Callable[[Job, list[Any]], dict[str, Any]]
"""Answers a job's requests with the model that was opened for the first job."""


def main() -> None:
    """Answer each line of stdin with one of stdout, until there are no more or one fails (exit code 1)."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print is not part of the answer
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    answer = answering()
    for line in sys.stdin:
        try:
            told = answer(json.loads(line))
        except Exception as error:  # whatever an engine breaks with
            told = {"failed": failed(error)}
            traceback.print_exc(0 if told["failed"]["status"] == "failed" else None)  # what is known needs no trace
        out.write(json.dumps(told) + "\n")
        out.flush()
        if "failed" in told:
            sys.exit(1)


def answering() -> Callable[[Job], dict[str, Any]]:
    """What answers jobs, one after the other; the first says which engine it is, and opens its model. `none` opens nothing, and
    says where it would run."""
    job: Job = {}
    engine: list[Measure] = []

    def answer(more: Job) -> dict[str, Any]:
        job.update(more)
        import torch

        if job["threads"]:
            torch.set_num_threads(job["threads"])
        if job["engine"] == "none":
            return {"setting": setting_before(job)}
        instances = _instances(job)
        if not engine:
            kind = "generation" if instances[0].request_type == "generate_until" else "scoring"
            if "requests" in job:
                check_room(job)
            engine.append(ENGINES[job["engine"], kind](job))
        measured = engine[0](job, instances)
        measured["documents"] = [i.doc_id for i in instances]
        measured["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if job["device"].startswith("cuda"):
            measured["peak_gpu_bytes"] = torch.cuda.max_memory_allocated(job["device"])
        return measured

    return answer


def failed(error: Exception) -> dict[str, str]:
    """What broke an engine, as a record says it; an error of minizoo's own with its hint."""
    from harness.records.outcome import failure_of
    from zoo.errors import MinizooError

    try:
        failure = failure_of(error)
    except MinizooError as known:
        return {"status": "failed", "code": known.code, "text": known.what, "hint": known.hint}
    return {"status": failure.status, "code": failure.code, "text": failure.message, "hint": ""}


def _end_with(parent: int) -> None:
    """End where whoever asked was killed: nobody would read the answer, and the device would stay taken."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _instances(job: Job) -> list[Any]:
    """The requests that the job brings, else lm-eval's own for the first documents of the task."""
    if "requests" in job:
        from lm_eval.api.instance import Instance

        return [
            Instance("loglikelihood", {}, (context, continuation), place, (job["task"], document, 1))
            for place, (document, context, continuation) in enumerate(job["requests"])
        ]
    from harness.lmeval.loading.tasks import load_tasks
    from harness.suites.suite import suite_of

    (loaded,) = load_tasks(suite_of((job["task"],), job["shots"]), Path(job["data"])).tasks.values()
    loaded.task.set_fewshot_seed(1234)
    loaded.task.build_all_requests(limit=job["documents"])
    return loaded.task.instances


def _hflm(job: Job) -> Measure:
    lm = opened_hflm(job)
    shapes: list[tuple[int, int]] = []
    call = lm._model_call
    warm: list[Any] = []

    def counted(inps: Any, *args: Any, **kwargs: Any) -> Any:
        shapes.append(tuple(inps.shape))
        return call(inps, *args, **kwargs)

    lm._model_call = counted

    def measure(job: Job, instances: list[Any]) -> dict[str, Any]:
        if not warm:
            warm.extend(lm.loglikelihood(instances[:1], disable_tqdm=True))

        def score() -> Any:
            shapes.clear()
            return lm.loglikelihood(instances, disable_tqdm=True)

        times, answers = _timed(score, job)
        return {**times, "answers": [[float(a), bool(b)] for a, b in answers], "shapes": list(shapes)}

    return measure


def _hflm_generation(job: Job) -> Measure:
    lm = opened_hflm(job)

    def measure(job: Job, instances: list[Any]) -> dict[str, Any]:
        times, texts = _timed(lambda: lm.generate_until(instances, disable_tqdm=True), job)
        return {**times, "answers": texts}

    return measure


def _packed(job: Job) -> Measure:
    from backends.packing.prefix_tree import PrefixTree
    from backends.packing.score import tree_of

    backend, encoder = opened(job)
    warm: list[Any] = []

    def measure(job: Job, instances: list[Any]) -> dict[str, Any]:
        def score(some: list[Any]) -> tuple[list[Any], list[Any]]:
            units = _units(encoder, job, some)
            return units, sorted(backend.score([u.request for u in units]), key=lambda s: s.index)

        if not warm:
            warm.extend(score(instances[:1])[1])
        times, (units, scores) = _timed(lambda: score(instances), job)
        requests = [unit.request for unit in units]
        tree = tree_of(requests)
        return {
            **times,
            "answers": [[s.logprob, s.greedy] for s in scores],
            "tokens": len(tree),
            "asked_tokens": tree.asked_tokens,
            "truncated": sum(unit.cut > 0 for unit in units),
            "setting": setting_for(backend, job),
            **({} if "requests" in job else {"ideal": _ideal(requests, PrefixTree)}),
        }

    return measure


def _packed_generation(job: Job) -> Measure:
    from harness.lmeval.responses import cut_at_stops

    backend, encoder = opened(job)

    def measure(job: Job, instances: list[Any]) -> dict[str, Any]:
        def generate() -> tuple[list[Any], list[Any], list[str]]:
            requests = [unit.request for unit in _units(encoder, job, instances)]
            done = sorted(backend.generate(requests), key=lambda g: g.index)
            texts = [cut_at_stops(backend.tokenizer.decode(g.tokens), requests[g.index].stop) for g in done]
            return requests, done, texts

        times, (requests, done, texts) = _timed(generate, job)
        return {**times, "answers": texts, "work": _work(requests, done)}

    return measure


def _exact(job: Job) -> Measure:
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from support.exact import exact_scores

    _, encoder = opened(job)

    def measure(job: Job, instances: list[Any]) -> dict[str, Any]:
        return {"answers": exact_scores(job["model"], [unit.request for unit in _units(encoder, job, instances)])}

    return measure


ENGINES = {
    ("exact", "scoring"): _exact,
    ("hflm", "scoring"): _hflm,
    ("hflm", "generation"): _hflm_generation,
    ("packed", "scoring"): _packed,
    ("packed", "generation"): _packed_generation,
}


def _units(encoder: Any, job: Job, instances: list[Any]) -> list[Any]:
    """What the encoder makes of each instance; none of these is scored in windows."""
    from harness.lmeval.encoding import Asked

    made = encoder.encode([Asked(job["task"], i.doc_id, 0, 0, i) for i in instances])
    return [unit for units in made for unit in units]


def _work(requests: list[Any], done: list[Any]) -> dict[str, int]:
    """What generation cannot do without: the prompts' unique tokens once, and each new token behind all before it."""
    from backends.packing import prefix_tree as packing

    packing.WORTH_SHARING = 1
    tree = packing.PrefixTree([r.prompt for r in requests], [(0,)] * len(requests))
    lengths = [(len(requests[g.index].prompt), len(g.tokens)) for g in done]
    return {
        "prompts": len(requests),
        "prompt_tokens": len(tree),
        "prompt_pairs": int((tree.depths + 1).sum()),
        "steps": max(new for _, new in lengths),
        "new_tokens": sum(new for _, new in lengths),
        "new_pairs": sum(new * prompt + new * (new + 1) // 2 for prompt, new in lengths),
    }


def _ideal(requests: list[Any], tree_type: Any) -> dict[str, int]:
    """Of the tree that shares every common token: its tokens, the positions asked, and the query–key pairs."""
    import numpy as np

    from backends.packing import prefix_tree as packing

    packing.WORTH_SHARING = 1
    tree = tree_type(((r.context + r.continuation)[:-1] for r in requests), [r.continuation for r in requests])
    row = tree.row(0, len(tree))
    return {"tokens": len(tree), "asked": len(row.scored), "pairs": int(np.sum(tree.depths + 1))}


def _timed(call: Any, job: Job) -> tuple[dict[str, Any], Any]:
    """Wall seconds, and processor seconds of all threads, which other work on the machine disturbs less.

    The mean of as many calls as fill a turn; neither engine keeps an answer from one to the next.
    """
    import torch

    calls, result, turn = 0, None, job.get("turn", TURN)
    started, worked = time.perf_counter(), time.process_time()
    while not calls or time.perf_counter() - started < turn:
        result = call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        calls += 1
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - worked
    return {"seconds": seconds / calls, "cpu_seconds": cpu_seconds / calls, "calls": calls}, result


if __name__ == "__main__":
    main()
