"""Loading a checkpoint with transformers: device, dtype, configuration, weights, and the causes of what goes wrong there."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from backends.contract import OutOfMemory
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import (
    DeviceMemory,
    DeviceMissing,
    InvalidConfig,
    InvalidOption,
    UnsupportedDtype,
    WeightsMismatch,
    WeightsMissing,
    WrongBackend,
    one_line,
)

DEVICES = ("cpu", "cuda")


def resolve_device(wanted: str) -> str:
    """`auto` is the first GPU, else the CPU. Raises InvalidOption for what is no device, DeviceMissing for one not here."""
    if wanted == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise InvalidOption(f"'{wanted}' is not a device.", "Use cpu, cuda or cuda:1.") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        seen = f"{torch.cuda.device_count()} GPUs" if torch.cuda.is_available() else "no GPU"
        raise DeviceMissing(f"torch sees {seen} here, not {wanted}.", "Use --device cpu, or see `minizoo doctor`.")
    if device.type not in DEVICES:
        raise InvalidOption(f"The hf backend does not run on '{device.type}'.", "Use cpu or cuda.")
    return str(device)


def compute_dtype(wanted: str, device: str) -> Any:
    """torch's dtype of that name; "auto" is "auto" on a GPU, fp32 on a CPU. UnsupportedDtype for what is no float."""
    if wanted == "auto":
        return "auto" if device.startswith("cuda") else torch.float32
    dtype = getattr(torch, wanted, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise UnsupportedDtype(f"'{wanted}' is not a floating-point type.", "Use float32, bfloat16 or float16.")
    return dtype


@contextmanager
def within_memory(checkpoint: Checkpoint, device: str) -> Generator[None]:
    """Inside, an out-of-memory error becomes DeviceMemory."""
    try:
        yield
    except (OutOfMemory, torch.OutOfMemoryError):
        raise DeviceMemory(
            f"{checkpoint.name} does not fit into the memory of {device}.", "Use a larger device."
        ) from None


def transformers_config(folder: Path) -> Any:
    """transformers' configuration of a folder; InvalidConfig where it refuses config.json."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # transformers raises whatever its validation met
        raise InvalidConfig(
            f"transformers refuses {folder / 'config.json'} ({_last_line(error)}).",
            "Correct it; a model_type that needs remote code is not run.",
        ) from None


def load_pretrained(checkpoint: Checkpoint, device: str, dtype: str) -> Any:
    """transformers' model of the checkpoint in eval mode on the device, read from safetensors alone.

    Raises WrongBackend for a folder that only `pruned` can run, InvalidConfig for what transformers cannot load,
    WeightsMissing and WeightsMismatch for weights that do not fill config.json, UnsupportedDtype, DeviceMemory.
    """
    with within_memory(checkpoint, device):
        return _loaded(checkpoint, device, dtype).to(device).eval()


def load_spread(checkpoint: Checkpoint, device: str, dtype: str, devices: Sequence[str] = ()) -> Any:
    """The same with its layers over several GPUs, `device` the first of them: a model that is larger than one.

    accelerate chooses which layer is where, within nine tenths of each GPU's free memory, and moves what goes from one to the
    next. Raises what `load_pretrained` raises, InvalidOption for what is no GPU, DeviceMemory where all are too small.
    """
    named = [resolve_device(each) for each in devices]
    if others := [each for each in named if not each.startswith("cuda")]:
        raise InvalidOption(
            f"Layers are spread over GPUs, and {others[0]} is none.", "Name GPUs: --devices cuda:0,cuda:1."
        )
    room = {torch.device(each).index or 0: torch.cuda.mem_get_info(each)[0] * 9 // 10 for each in named}
    return load_placed(checkpoint, device, dtype, "balanced", room)


def load_placed(
    checkpoint: Checkpoint,
    device: str,
    dtype: str,
    places: str | Mapping[str, Any],
    room: Mapping[Any, int] | None = None,
) -> Any:
    """The same placed by accelerate: `places` is a way of its own within `room` (bytes a device), or a device a module.

    DeviceMemory where a way of its own would leave modules on the disk, from which each forward pass would read them.
    """
    with within_memory(checkpoint, device):
        model = _loaded(checkpoint, device, dtype, device_map=places, max_memory=room).eval()
    if isinstance(places, str) and "disk" in map(str, getattr(model, "hf_device_map", {}).values()):
        raise DeviceMemory(
            f"{checkpoint.name} does not fit into the memory of {', '.join(map(str, room or [device]))} together.",
            "Name more devices, or take a narrower --dtype.",
        )
    return model


def _loaded(checkpoint: Checkpoint, device: str, dtype: str, **placing: Any) -> Any:
    """transformers' model with every weight of the checkpoint, where `placing` says, else on the host."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging as transformers_logging

    if checkpoint.only_pruned:
        raise WrongBackend(f"hf cannot run {checkpoint.folder}: {checkpoint.only_pruned}.", "Use --backend pruned.")
    transformers_logging.disable_progress_bar()
    weights_dtype = compute_dtype(dtype, device)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            checkpoint.folder,
            dtype=weights_dtype,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            **placing,
        )
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # transformers raises whatever its loader met
        raise InvalidConfig(
            f"transformers cannot load {checkpoint.folder} ({one_line(error)[:200]}).",
            "Check config.json against the weights, and that transformers knows this model_type without remote code.",
        ) from None
    model, info = loaded
    _check_filled(checkpoint.folder, info)
    return model


def _check_filled(folder: Path, info: Any) -> None:
    """Every weight of config.json must have been read in its shape: transformers draws those that were not."""
    hint = "Its scores would be those of random numbers, so nothing was run: fetch or write the checkpoint again."
    for cause, key, told in (
        (WeightsMissing, "missing_keys", "lacks {} of the weights that its config.json calls for, first {}"),
        (WeightsMismatch, "mismatched_keys", "has {} weights of other shapes than its config.json calls for, first {}"),
    ):
        if wrong := sorted(map(str, info[key])):
            raise cause(f"{folder} {told.format(len(wrong), wrong[0])}.", hint)


def _last_line(error: Exception) -> str:
    """transformers puts the reason into the last line."""
    return (str(error).strip() or type(error).__name__).splitlines()[-1].strip()[:200]
