"""lm-eval's own vLLM model answering requests on stdin, in an interpreter that has vLLM and lm-eval and no minizoo.

Started by score_vllm.py. The answer is the last line of stdout.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main() -> None:
    """Score the job's requests by `lm_eval.models.vllm_causallms.VLLM`, as its command line opens it, and time the call."""
    job = json.loads(sys.stdin.read())
    for name, value in (
        ("VLLM_ENABLE_V1_MULTIPROCESSING", "0"),
        ("VLLM_LOGGING_STREAM", "ext://sys.stderr"),
        ("VLLM_LOGGING_LEVEL", "WARNING"),
        ("VLLM_NO_USAGE_STATS", "1"),
        ("TORCH_COMPILE_DISABLE", "1"),
        ("VLLM_CPU_OMP_THREADS_BIND", "nobind"),
    ):
        os.environ.setdefault(name, value)
    from lm_eval.api.instance import Instance
    from lm_eval.models.vllm_causallms import VLLM

    began = time.perf_counter()
    model = VLLM(
        pretrained=job["model"],
        dtype="float32",
        enforce_eager=True,
        kv_cache_memory_bytes=1 << 30,
        disable_log_stats=True,
    )
    opening = time.perf_counter() - began
    asked = [Instance("loglikelihood", {}, tuple(words), place) for place, words in enumerate(job["requests"])]
    model.loglikelihood(asked[:1], disable_tqdm=True)
    seconds, answers = [], []
    for _ in range(job["repeats"]):
        began = time.perf_counter()
        answers = model.loglikelihood(asked, disable_tqdm=True)
        seconds.append(time.perf_counter() - began)
    told = {
        "seconds": min(seconds),
        "all_seconds": seconds,
        "opening_seconds": opening,
        "requests": len(asked),
        "answers": [[float(logprob), bool(greedy)] for logprob, greedy in answers],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
