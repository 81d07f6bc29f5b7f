"""The devices that importance is measured on: found by name, their type of numbers, and whether a layer fits into them."""

from __future__ import annotations

from pathlib import Path

import torch

from zoo.arch.dims import Dense
from zoo.checkpoint.safetensors import nbytes
from zoo.errors import DeviceMemory, DeviceMissing, InvalidOption, UnsupportedDtype
from zoo.prune.parent import Parent

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""What importance is computed in. fp16 is none of them: activations of real models overflow it."""
GRAMMAR = "Use cpu, cuda, cuda:1, a list such as cuda:0,cuda:1, all (every GPU), or auto (the first GPU, else the CPU)."


def find_devices(words: str) -> tuple[str, ...]:
    """The devices of `--device`, each once. Raises InvalidOption for what is none, DeviceMissing for one not here."""
    seen = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if words == "auto":
        return ("cuda:0",) if seen else ("cpu",)
    if words == "all":
        if not seen:
            raise DeviceMissing("torch sees no GPU here, so there is no --device all.", "Use --device cpu or auto.")
        return tuple(f"cuda:{index}" for index in range(seen))
    found = [_device(word.strip(), seen) for word in words.split(",")]
    if len(set(found)) < len(found):
        raise InvalidOption(f"'{words}' names a device twice.", GRAMMAR)
    if len({name.split(":")[0] for name in found}) > 1:
        raise InvalidOption(f"'{words}' mixes a CPU and GPUs, whose roundings differ.", "Take devices of one kind.")
    return tuple(found)


def dtype_for(word: str, devices: tuple[str, ...], parent: Parent) -> str:
    """The type to compute in; `auto` is fp32 on a CPU, and on a GPU bf16 where most of the weights are stored so."""
    if word != "auto":
        if word not in DTYPES:
            raise UnsupportedDtype(f"Importance is not computed in '{word}'.", f"Use {', '.join(DTYPES)} or auto.")
        return word
    stored = sum(t.size for t in parent.tensors.values() if t.dtype == "BF16")
    mostly = 2 * stored > sum(t.size for t in parent.tensors.values())
    return "bfloat16" if mostly and devices[0] != "cpu" else "float32"


def kind_of(device: str) -> str:
    """`cpu`, or the GPU's own name."""
    return "cpu" if device == "cpu" else str(torch.cuda.get_device_name(device))


def is_memory(error: BaseException) -> bool:
    """Whether torch says by it that a device's or the machine's memory ran out."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def check_room(parent: Parent, devices: tuple[str, ...], dtype: torch.dtype, length: int, head: bool) -> None:
    """Raise DeviceMemory where a device cannot hold a layer, or the `head`, beside one row of `length` tokens."""
    dims = parent.dims
    layer = max(layer_parameters(parent, index) for index in range(dims.num_layers)) * dtype.itemsize
    needs = {"a layer": layer + length * row_bytes(dims, dtype.itemsize)}
    if head:
        # the products of a row in `dtype` and in fp32, and their log-softmax
        logits = length * dims.vocab_size * (dtype.itemsize + 8)
        needs["the output head"] = dims.vocab_size * dims.hidden_size * dtype.itemsize + logits
    for device in dict.fromkeys(devices):
        free = free_memory(device)
        what, most = max(needs.items(), key=lambda item: item[1])
        if free is not None and most > free:
            raise DeviceMemory(
                f"{what.capitalize()} of {parent.name} and one row of {length} tokens take about {most / 1e9:.2f} GB in "
                f"{str(dtype).removeprefix('torch.')}, and {device} has {free / 1e9:.2f} GB free.",
                "Take a smaller --length, --dtype bfloat16, or a larger --device.",
            )


def layer_parameters(parent: Parent, index: int) -> int:
    """Weights of one layer."""
    prefix = f"model.layers.{index}."
    tensors = (t for name, t in parent.tensors.items() if name.startswith(prefix))
    return sum(t.size // nbytes(t.dtype, (1,)) for t in tensors)


def row_bytes(dims: Dense, width: int) -> int:
    """Roughly what a token takes inside a layer: its values, and the fp32 copies that importance is taken from."""
    values = 4 * dims.hidden_size + 3 * dims.num_attention_heads * dims.head_dim + 3 * dims.ffn_hidden_size
    return values * width + 8 * max(dims.hidden_size, dims.ffn_hidden_size)


def free_memory(device: str) -> int | None:
    """Bytes that can be had on the device; None where the system does not say."""
    if device != "cpu":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with Path("/proc/meminfo").open() as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return None


def _device(word: str, seen: int) -> str:
    try:
        device = torch.device(word)
    except RuntimeError:
        raise InvalidOption(f"'{word}' is not a device.", GRAMMAR) from None
    if device.type not in ("cpu", "cuda"):
        raise InvalidOption(f"Importance is not measured on '{device.type}'.", GRAMMAR)
    if device.type == "cpu":
        return "cpu"
    if (device.index or 0) >= seen:
        told = f"{seen} GPUs" if seen else "no GPU"
        raise DeviceMissing(f"torch sees {told} here, not {word}.", "Use --device cpu, or see `minizoo doctor`.")
    return f"cuda:{device.index or 0}"
