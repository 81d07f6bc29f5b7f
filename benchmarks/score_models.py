"""The models that the scoring engines open: minizoo's backend, and lm-eval's HFLM over the same weights and tokenizer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

Job = dict[str, Any]


def check_room(job: Job) -> None:
    """DeviceMemory where the weights alone are more than the device has free: Linux would kill the process, not refuse."""
    from backends.memory import free_bytes
    from harness.speed.loading import dims_of_checkpoint
    from zoo.arch.parameters import BITS, count_parameters
    from zoo.errors import DeviceMemory

    checkpoint = _checkpoint(job)
    dims, has = dims_of_checkpoint(checkpoint), free_bytes(job["device"])
    if dims is None or has is None or job["dtype"] not in BITS:
        return
    needs = count_parameters(dims).total * BITS[job["dtype"]] // 8
    if needs > has:
        raise DeviceMemory(
            f"The weights of {checkpoint.name} take {needs / 1e9:.1f} GB in {job['dtype']}, and {job['device']} has "
            f"{has / 1e9:.1f} GB of memory free.",
            "Take a smaller model, or a larger device.",
        )


def _checkpoint(job: Job) -> Any:
    """What the job's model is: a folder with its weights, or for random ones a configuration and nothing else."""
    from backends.random.config import random_checkpoint
    from zoo.checkpoint.locate import open_folder
    from zoo.checkpoint.model_ref import resolve

    return random_checkpoint(resolve(job["model"])) if job["random"] else open_folder(Path(job["model"]))


def opened_hflm(job: Job) -> Any:
    from lm_eval.models.huggingface import HFLM

    options = {"softmax_dtype": "float32"} if job["dtype"] != "float32" else {}
    open_it: Any = HFLM  # untyped
    return open_it(
        **_pretrained(job), dtype=job["dtype"], device=job["device"], batch_size=job["batch_size"], **options
    )


def _pretrained(job: Job) -> dict[str, Any]:
    """What HFLM loads: a folder, or random weights in memory; with the job's tokenizer where it names one."""
    from backends.tokenizer import HfTokenizer

    given = {"tokenizer": HfTokenizer(Path(job["tokenizer"])).inner} if "tokenizer" in job else {}
    if not job["random"]:
        return {"pretrained": job["model"], **given}
    from transformers import AutoTokenizer

    return {"pretrained": drawn(job), **(given or {"tokenizer": AutoTokenizer.from_pretrained(job["model"])})}


def drawn(job: Job) -> Any:
    """Random weights in the job's dtype.

    `drawn` is the dtype that they are drawn in. fp32 that is to stand beside bf16 takes the values as bf16 has them: what
    rounding takes from a weight is no fault of an engine.
    """
    import torch

    from backends.random.draw import random_model

    model = random_model(_checkpoint(job), job["device"], job.get("drawn", job["dtype"]), job.get("seed", 0))
    return model.to(getattr(torch, job["dtype"]))


def opened(job: Job) -> tuple[Any, Any]:
    """minizoo's backend over the same weights, and its encoder."""
    from backends.contract import Options
    from backends.hf.backend import HfBackend
    from backends.random.backend import open_random
    from backends.tokenizer import HfTokenizer
    from harness.lmeval.encoding import Encoder

    options, checkpoint = Options(job["device"], job["dtype"], job["row_budget"]), _checkpoint(job)
    tokenizer = HfTokenizer(Path(job.get("tokenizer", checkpoint.folder)))
    if not job["random"]:
        backend = HfBackend(checkpoint, options, tokenizer=tokenizer)
    elif job.get("drawn", job["dtype"]) == job["dtype"]:
        backend = open_random(checkpoint, options, job.get("seed", 0), tokenizer)
    else:
        backend = HfBackend(checkpoint, options, lambda *_: drawn(job), tokenizer)
    if "requests" not in job:  # a record says how; a benchmark of packing wants packing
        assert backend.versions["scoring"] == "packed", backend.versions["scoring"]
    return backend, Encoder(backend.tokenizer, checkpoint.max_length)


def setting_for(backend: Any, job: Job) -> dict[str, Any] | None:
    """Where and how the backend ran, for a record; None where the job makes none."""
    if "command" not in job:
        return None
    from harness.records.provenance import setting_of

    return setting_of(backend, job.get("seed", 0), job["command"]).model_dump(mode="json")


def setting_before(job: Job) -> dict[str, Any]:
    """Where and how the job would run, before a model is opened.

    Raises InvalidOption and DeviceMissing for the device, UnsupportedDtype for the dtype.
    """
    import torch
    import transformers

    from backends.hf.loading import compute_dtype, resolve_device
    from harness.records.provenance import setting_of

    device = resolve_device(job["device"])
    dtype = compute_dtype(job["dtype"], device)
    backend: Any = SimpleNamespace(
        name="hf",
        device=device,
        dtype="bfloat16" if dtype == "auto" else str(dtype).removeprefix("torch."),
        versions={"torch": torch.__version__, "transformers": transformers.__version__},
    )
    return setting_of(backend, job["seed"], job["command"]).model_dump(mode="json")
