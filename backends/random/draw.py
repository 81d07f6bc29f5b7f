"""Drawing the weights of a model at its true dimensions: nothing is fetched, and a step costs what the real one costs.

Shapes set the bytes and FLOPs of a step; values change power and, at the power limit, clocks. So matrices are drawn at the
scale of trained ones, N(0, 1/fan-in): those of the shipped nano teacher stand at 2.5 to 3.5 times it (a test holds a factor of
4). Gains are 1, biases 0, and a trial pass proves every activation finite.
"""

from __future__ import annotations

import math
import zlib
from typing import Any

import torch

from backends.hf.loading import compute_dtype, transformers_config, within_memory
from backends.random.config import config_of
from zoo.arch.parameters import count_parameters
from zoo.checkpoint.head import KEY as HEAD_KEY
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import WeightsMismatch, WeightsNotFinite

TRIAL_TOKENS = 32


def random_model(checkpoint: Checkpoint, device: str, dtype: str, seed: int = 0) -> Any:
    """transformers' model of the checkpoint's configuration with weights drawn on the device; "auto" is bf16 on a GPU.

    The same seed draws the same values on one machine. Raises DeviceMemory where the device is too small.
    """
    wanted = compute_dtype(dtype, device)
    with within_memory(checkpoint, device):
        model = empty_model(checkpoint, device, torch.bfloat16 if wanted == "auto" else wanted)
        _draw(model, seed)
    return model.eval()


def empty_model(checkpoint: Checkpoint, device: str, dtype: torch.dtype) -> Any:
    """The same with whatever was in the memory; on `meta` it takes none.

    WeightsMismatch where a registry model has another number of parameters than its closed form: it would be another model.
    """
    from transformers import AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    with no_init_weights(), torch.device(device):
        model: Any = AutoModelForCausalLM.from_config(_config_of(checkpoint), dtype=dtype)
    model.tie_weights()
    _check_count(model, checkpoint)
    return model


@torch.inference_mode()
def check_finite(model: Any, seed: int = 0) -> tuple[float, float]:
    """The smallest and largest root mean square of the hidden states, one a layer, over a trial of random tokens.

    WeightsNotFinite where a hidden state or a logit is not finite.
    """
    tokens = torch.randint(model.config.vocab_size, (1, TRIAL_TOKENS), generator=torch.Generator().manual_seed(seed))
    out = model(tokens.to(model.device), use_cache=False, output_hidden_states=True)
    for place, states in [*((f"layer {i}", h) for i, h in enumerate(out.hidden_states)), ("the head", out.logits)]:
        if not torch.isfinite(states).all():
            raise WeightsNotFinite(
                f"Activations of random weights are not finite at {place} in {str(model.dtype).removeprefix('torch.')}.",
                "Take --dtype bfloat16 or float32.",
            )
    sizes = [float(states.float().square().mean().sqrt()) for states in out.hidden_states]
    return min(sizes), max(sizes)


def _config_of(checkpoint: Checkpoint) -> Any:
    if checkpoint.model is not None:
        return config_of(checkpoint.model)
    config = transformers_config(checkpoint.folder)
    if checkpoint.config.get(HEAD_KEY) is False:  # also where config.json ties a head that is stored apart
        config.tie_word_embeddings = False
    return config


@torch.inference_mode()
def _draw(model: Any, seed: int) -> None:
    """Fill every matrix, gain and bias; a matrix that two modules share is drawn once."""
    drawn: set[int] = set()
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.weight.fill_(0.0 if "1P" in type(module).__name__ else 1.0)  # LN1P adds one to its weight
        elif isinstance(module, torch.nn.Linear | torch.nn.Embedding) and id(module.weight) not in drawn:
            drawn.add(id(module.weight))
            generator = torch.Generator(module.weight.device).manual_seed(zlib.crc32(f"{seed} {name}".encode()))
            module.weight.normal_(0.0, 1 / math.sqrt(module.weight.shape[1]), generator=generator)
        bias = getattr(module, "bias", None)
        if isinstance(bias, torch.Tensor):
            bias.zero_()


def _check_count(model: Any, checkpoint: Checkpoint) -> None:
    """Of a registry model: transformers' parameters must be as many as the closed form's, or it is another model."""
    if checkpoint.model is None:
        return
    stated, built = count_parameters(checkpoint.model.architecture).total, sum(p.numel() for p in model.parameters())
    if stated != built:
        raise WeightsMismatch(
            f"At the dimensions of {checkpoint.name} transformers' {type(model).__name__} has {built:,} parameters, "
            f"the registry's closed form {stated:,}.",
            "It would be another model, so nothing was run; please report it.",
        )
