"""Decoding speed: transformers' eager layers, minizoo's hf and pruned, and a real vLLM, on the same weights and tokens.

    python benchmarks/decode.py --tokenizer ../shared/tokenizers/gpt2 --models nano-teacher,74M,SMOLLM2_FOLDER
    python benchmarks/decode.py … --python VLLM_PYTHON --dtypes float32,bfloat16 --batches 1,16 --out benchmarks/decode.json

Every side runs in a process of its own with `--threads` threads, the sides in turn, `--repeats` times; a side's time is the
median of its steps in its quickest turn. Beside it stands the bandwidth of a copy of 1 GiB (read and written) by all threads,
measured in the same run. In fp32 every side of ours must give transformers' own tokens, else the exit code is 1. In bf16
transformers and vLLM round every activation: their tokens are compared and not asserted; those of hf and pruned are.
Of gpt-fast the published figures stand beside (README of its commit 32971d31; A100-80GB at 330 W).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from benchmarks.shapes import SHAPES, write_shape  # noqa: E402

SIDES = ("eager", "torch", "hf", "pruned", "vllm")
"""transformers' own layers in one batch (what `hf --eager` runs); hf without its fast step; hf; pruned; vLLM."""
OURS = ("torch", "hf", "pruned")
PROMPT = 64
COPIED = 1 << 30
GPT_FAST = {
    "llama-3.1-8b bf16": {"tokens_per_s": 93.89, "bytes_per_s": 1410.8e9, "of_data_sheet": 0.692},
    "llama-2-7b bf16": {"tokens_per_s": 104.9, "bytes_per_s": 1397e9, "of_data_sheet": 0.685},
}


def main() -> int:
    args = _arguments()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for model in args.models:
            folder = str(write_shape(model, args.tokenizer, Path(scratch) / model)) if model in SHAPES else model
            for dtype in args.dtypes:
                rows += _measured(args, model, folder, dtype)
    document = {
        "provenance": _provenance(args), "copy_bytes_per_s": max(row["copy_bytes_per_s"] for row in rows),
        "published": {"gpt-fast": GPT_FAST}, "rows": rows,
    }  # fmt: skip
    if args.out:
        args.out.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print(json.dumps(document) if args.json else _table(rows))
    return 0 if all(row["equal"] for row in rows) else 1


def _measured(args: argparse.Namespace, model: str, folder: str, dtype: str) -> list[dict[str, Any]]:
    """A row a batch: the sides' turns, the copy's bandwidth beside them, and whose tokens are equal."""
    sides = [side for side in args.sides if side != "vllm" or args.python]
    turns: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    copies: list[float] = []
    job = {
        "model": folder, "dtype": dtype, "batches": args.batches, "new": args.new, "threads": args.threads,
        "python": args.python,
    }  # fmt: skip
    for _ in range(args.repeats):
        for side in sides:
            told = run_side({**job, "side": side})
            turns[side].append(told)
            copies += told.get("copies", [])
            print(f"{model} {dtype} {side}: {_told(told)}", file=sys.stderr, flush=True)
    return [_row(args, model, dtype, str(batch), turns, copies) for batch in args.batches]


def _row(
    args: argparse.Namespace, model: str, dtype: str, batch: str, turns: Any, copies: list[float]
) -> dict[str, Any]:
    row: dict[str, Any] = {"model": Path(model).name, "dtype": dtype, "batch": int(batch), "new": args.new, "sides": {}}
    row["copy_bytes_per_s"] = max(copies)
    tokens: dict[str, Any] = {}
    for side, told in turns.items():
        done = [turn["batches"][batch] for turn in told if "batches" in turn]
        if not done:
            row["sides"][side] = {"left_out": told[0]["left_out"]}
            continue
        best = min(done, key=lambda one: one["step_seconds"])
        tokens[side] = best.pop("tokens")
        opening = min(turn["opening_seconds"] for turn in told)
        row["sides"][side] = {
            **best, "all_step_seconds": [one["step_seconds"] for one in done],
            "tokens_per_s": int(batch) / best["step_seconds"], "bytes_per_s": best["bytes"] / best["step_seconds"],
            "of_copy": best["bytes"] / best["step_seconds"] / row["copy_bytes_per_s"],
            "opening_seconds": opening, "versions": told[0]["versions"],
        }  # fmt: skip
    asserted = [side for side in tokens if side in OURS[1:] or (dtype == "float32" and side != "vllm")]
    row["same_tokens_as_hf"] = (
        {side: _same(tokens["hf"], mine) for side, mine in tokens.items()} if "hf" in tokens else {}
    )
    row["equal"] = all(tokens[side] == tokens[asserted[0]] for side in asserted)
    return row


def _same(a: list[list[int]], b: list[list[int]]) -> float:
    """The share of sequences whose tokens are all equal."""
    return sum(x == y for x, y in zip(a, b, strict=True)) / len(a)


def run_side(job: dict[str, Any]) -> dict[str, Any]:
    """What a side measured, in a process of its own; why not, where vLLM cannot run it."""
    done = subprocess.run(
        [sys.executable, __file__, "--side"], input=json.dumps(job), capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": str(job["threads"]), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    if done.returncode and job["side"] == "vllm":
        return {"left_out": (done.stderr.strip().splitlines() or ["?"])[-1][:300]}
    if done.returncode:
        sys.exit(f"{job['side']} failed on {job['model']}:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure_side() -> None:
    """Measure the job on stdin."""
    job = json.loads(sys.stdin.read())
    import torch

    torch.set_num_threads(job["threads"])
    told: dict[str, Any] = {"copies": [_copied()]}
    began = time.perf_counter()
    run, versions, reads = _eager(job) if job["side"] == "eager" else _backend(job)
    told |= {"opening_seconds": time.perf_counter() - began, "versions": versions, "batches": {}}
    for batch in job["batches"]:
        prompts = [[(7 * i + 3 * j * j + 5) % 290 for j in range(PROMPT)] for i in range(batch)]
        run(prompts, 8)  # warm: what is compiled or captured for this batch
        tokens, steps = run(prompts, job["new"])
        told["batches"][str(batch)] = {
            "step_seconds": statistics.median(steps), "fastest_step_seconds": min(steps), "tokens": tokens,
            "bytes": reads(batch, PROMPT + job["new"] // 2),
        }  # fmt: skip
    told["copies"].append(_copied())
    print(json.dumps(told))


def _copied() -> float:
    """Bytes a second of a copy, read and written, the best of five."""
    import torch

    source = torch.ones(COPIED // 4)
    target = torch.empty_like(source)
    times: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        target.copy_(source)
        times.append(time.perf_counter() - began)
    return 2 * COPIED / min(times)


def _eager(job: dict[str, Any]) -> Any:
    import torch
    import transformers

    from backends.hf.loading import load_pretrained
    from zoo.checkpoint.locate import locate, outline
    from zoo.checkpoint.model_ref import resolve

    model: Any = load_pretrained(locate(outline(resolve(job["model"]))), "cpu", job["dtype"])

    @torch.inference_mode()
    def run(prompts: list[list[int]], new: int) -> tuple[list[list[int]], list[float]]:
        out = model(input_ids=torch.tensor(prompts), use_cache=True, logits_to_keep=1)
        rows, steps = [out.logits[:, -1].argmax(-1)], []
        for _ in range(new - 1):
            began = time.perf_counter()
            out = model(input_ids=rows[-1][:, None], past_key_values=out.past_key_values, use_cache=True)
            rows.append(out.logits[:, -1].argmax(-1))
            steps.append(time.perf_counter() - began)
        return torch.stack(rows, 1).tolist(), steps

    return run, {"torch": torch.__version__, "transformers": transformers.__version__}, _reads(model)


def _backend(job: dict[str, Any]) -> Any:
    from backends.contract import Options, StreamRequest
    from backends.opening import open_backend
    from zoo.checkpoint.locate import locate, outline
    from zoo.checkpoint.model_ref import resolve

    checkpoint = locate(outline(resolve(job["model"])))
    name = "hf" if job["side"] == "torch" else job["side"]
    engine = {"torch": {"decode": "torch"}, "vllm": {"enable_prefix_caching": False}}.get(job["side"], {})
    options = Options(device="cpu", dtype=job["dtype"], python=job["python"] if name == "vllm" else None, engine=engine)
    backend: Any = open_backend(checkpoint, name, options)

    def run(prompts: list[list[int]], new: int) -> tuple[list[list[int]], list[float]]:
        asked = [StreamRequest(i, tuple(prompt), new) for i, prompt in enumerate(prompts)]
        found: list[list[int]] = [[] for _ in prompts]
        times: list[float] = []
        for step in backend.stream(_Once(asked), len(prompts), PROMPT + new, time.perf_counter):
            for index, token in step.tokens:
                found[index].append(token)
            if len(step.tokens) == len(prompts):
                times.append(step.time)
        return found, [
            after - before for before, after in zip(times[-(new - 1) :], times[-(new - 1) + 1 :], strict=False)
        ]

    if name == "vllm":
        from transformers import AutoModelForCausalLM

        weights: Any = AutoModelForCausalLM.from_pretrained(checkpoint.folder, dtype=job["dtype"])
    else:
        weights = backend._model
    return run, dict(backend.versions), _reads(weights)


class _Once:
    """A feed of requests that have all arrived."""

    def __init__(self, requests: list[Any]) -> None:
        self._requests: list[Any] | None = requests

    def take(self, room: int, idle: bool) -> Any:
        given, self._requests = self._requests, None
        return given


def _reads(model: Any) -> Any:
    """Bytes of a step: each weight as it is held, an input embedding of its own left out, and the cache in fp32."""
    tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    held = sum(p.nbytes for p in model.parameters()) - (0 if tied else model.get_input_embeddings().weight.nbytes)
    layers = model.get_decoder().layers
    keys = sum(layer.self_attn.k_proj.weight.shape[0] for layer in layers) * 2 * 4
    return lambda batch, length: held + batch * length * keys


def _provenance(args: argparse.Namespace) -> dict[str, Any]:
    import torch
    import transformers

    from harness.records.provenance import git_sha
    from harness.speed.probes.os_probe import OsProbe

    return {
        "commit": git_sha(), "cpu": OsProbe().facts()["product"], "threads": args.threads, "repeats": args.repeats,
        "load_average": os.getloadavg()[0], "command": "benchmarks/decode.py", "prompt": PROMPT,
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "python": platform.python_version(),
    }  # fmt: skip


def _told(turn: dict[str, Any]) -> str:
    if "batches" not in turn:
        return turn["left_out"]
    return ", ".join(f"batch {b} {int(b) / one['step_seconds']:,.0f} tokens/s" for b, one in turn["batches"].items())


def _table(rows: list[dict[str, Any]]) -> str:
    lines = ["| model | dtype | batch | side | tokens/s | GB/s | of copy | tokens as hf's |", "|" + "---|" * 8]
    for row in rows:
        for side, told in row["sides"].items():
            head = f"| {row['model']} | {row['dtype']} | {row['batch']} | {side} |"
            if "left_out" in told:
                lines.append(f"{head} left out: {told['left_out']} | | | |")
                continue
            same = row["same_tokens_as_hf"].get(side)
            shown = "" if same is None else f"{same:.0%}"
            figures = f"{told['tokens_per_s']:,.1f} | {told['bytes_per_s'] / 1e9:.1f} | {told['of_copy']:.0%}"
            lines.append(f"{head} {figures} | {shown} |")
        lines.append(f"| | | | copy of 1 GiB | | {row['copy_bytes_per_s'] / 1e9:.1f} | 100% | |")
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--tokenizer", type=Path, required=True, help="folder of the tokenizer for random weights")
    words.add_argument("--models", type=lambda text: text.split(","), default=["nano-teacher", "74M"])
    words.add_argument("--dtypes", type=lambda text: text.split(","), default=["float32", "bfloat16"])
    words.add_argument("--batches", type=lambda text: [int(one) for one in text.split(",")], default=[1, 16])
    words.add_argument("--sides", type=lambda text: text.split(","), default=list(SIDES))
    words.add_argument("--python", help="the interpreter that has vLLM; without it that side is left out")
    words.add_argument("--new", type=int, default=64)
    words.add_argument("--repeats", type=int, default=2)
    words.add_argument("--threads", type=int, default=os.cpu_count())
    words.add_argument("--out", type=Path)
    words.add_argument("--json", action="store_true")
    return words.parse_args()


if __name__ == "__main__":
    if sys.argv[1:] == ["--side"]:
        measure_side()
    else:
        sys.exit(main())
