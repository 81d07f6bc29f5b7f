"""A model at its true dimensions without its weights: nothing is fetched, and what is drawn runs like the real one.

Shapes set the bytes and FLOPs of a step; values change power and, at the power limit, clocks. So matrices are drawn at the
scale of trained ones, N(0, 1/fan-in): those of the shipped nano teacher stand at 2.5 to 3.5 times it (a test holds a factor of
4). Gains are 1, biases 0, and a trial pass proves every activation finite.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from backends.contract import Options, Tokenizer
from backends.hf.backend import HfBackend, compute_dtype
from zoo.arch.dims import Dense, RopeScaling
from zoo.arch.hf_config import read_config
from zoo.arch.parameters import count_parameters
from zoo.checkpoint.locate import Checkpoint
from zoo.checkpoint.model_ref import ModelRef
from zoo.checkpoint.plan_folder import LAYER_WIDTHS
from zoo.errors import (
    DeviceMemory,
    InvalidConfig,
    TokenizerUnreadable,
    UnsupportedArchitecture,
    WeightsMismatch,
    WeightsNotFinite,
)
from zoo.registry.loader import Model

CONTEXT = 32_768
"""Positions of a model whose sources state none: enough for every workload that minizoo brings."""
TRIAL_TOKENS = 32
NORM_EPS = {"NemotronForCausalLM": "norm_eps"}
"""Where the epsilon of the norms is not called rms_norm_eps."""
LLAMA3_ROPE = {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
"""Of Llama 3.1's and 3.2's published config.json; the registry does not hold them, and they change no work."""


@dataclass
class NoTokenizer:
    """Stands where there are token ids alone: it knows how many there are, and encodes nothing."""

    vocab_size: int
    bos_id: int | None = None
    eos_id: int | None = None

    def encode(self, texts: Sequence[str], add_special_tokens: bool | None = None) -> list[list[int]]:
        """TokenizerUnreadable: random weights know no text."""
        raise TokenizerUnreadable("A model of random weights has no tokenizer.", "Give the folder of one.")

    def decode(self, tokens: Sequence[int], skip_special_tokens: bool = True) -> str:
        """TokenizerUnreadable: random weights know no text."""
        raise TokenizerUnreadable("A model of random weights has no tokenizer.", "Give the folder of one.")


def random_checkpoint(ref: ModelRef) -> Checkpoint:
    """A checkpoint that is a configuration and nothing else: of a registry model, or of a folder with a config.json.

    Raises UnsupportedArchitecture for a quantised entry, a hybrid, a hub model that is in no registry, and layers of unlike
    widths.
    """
    if ref.entry is not None:
        return Checkpoint(ref, Path(ref.id), _config_of(ref.entry).to_dict())
    if ref.folder is None:
        raise UnsupportedArchitecture(
            f"The dimensions of {ref.id} are not known before it is fetched.",
            "Give a folder or a model of the registry.",
        )
    config = read_config(str(ref.folder))
    if LAYER_WIDTHS in config:
        raise UnsupportedArchitecture(
            f"The layers of {ref.folder} differ in width.", "Random weights are drawn for uniform models only."
        )
    return Checkpoint(ref, ref.folder, config)


def open_random(
    checkpoint: Checkpoint, options: Options, seed: int = 0, tokenizer: Tokenizer | None = None
) -> HfBackend:
    """The `hf` backend over random weights; `versions["weights"]` says how they were drawn and how large activations are.

    Raises WeightsNotFinite where an activation is not finite, DeviceMemory where the device is too small.
    """
    ranges: list[tuple[float, float]] = []

    def load(checkpoint: Checkpoint, device: str, dtype: str) -> Any:
        model = random_model(checkpoint, device, dtype, seed)
        ranges.append(check_finite(model, seed))
        return model

    backend = HfBackend(checkpoint, options, load, tokenizer or NoTokenizer(int(checkpoint.config["vocab_size"])))
    low, high = ranges[0]
    drawn = f"random, N(0, 1/fan-in), seed {seed}; activations finite, rms {low:.2g} to {high:.2g}"
    backend.versions = {**backend.versions, "weights": drawn}
    return backend


def random_model(checkpoint: Checkpoint, device: str, dtype: str, seed: int = 0) -> Any:
    """transformers' model of the checkpoint's configuration with weights drawn on the device; "auto" is bf16 on a GPU.

    The same seed draws the same values on one machine. Raises DeviceMemory where the device is too small.
    """
    wanted = compute_dtype(dtype, device)
    try:
        model = empty_model(checkpoint, device, torch.bfloat16 if wanted == "auto" else wanted)
        _draw(model, seed)
    except torch.OutOfMemoryError:
        raise DeviceMemory(
            f"{checkpoint.name} does not fit into the memory of {device}.", "Use a larger device."
        ) from None
    return model.eval()


def empty_model(checkpoint: Checkpoint, device: str, dtype: torch.dtype) -> Any:
    """The same with whatever was in the memory; on `meta` it takes none.

    InputError where a registry model has another number of parameters than its closed form: it would be another model.
    """
    from transformers import AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    with no_init_weights(), torch.device(device):
        model: Any = AutoModelForCausalLM.from_config(_transformers_config(checkpoint), dtype=dtype)
    model.tie_weights()
    _check_count(model, checkpoint)
    return model


@torch.inference_mode()
def check_finite(model: Any, seed: int = 0) -> tuple[float, float]:
    """The smallest and largest root mean square of the hidden states, one a layer, over a trial of random tokens.

    InputError where a hidden state or a logit is not finite.
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


def _config_of(model: Model) -> Any:
    """transformers' configuration of a registry model, from its dimensions alone."""
    import transformers

    dims, quantized = model.architecture, model.lineage is not None and model.lineage.quantization is not None
    if not isinstance(dims, Dense):
        raise UnsupportedArchitecture(
            f"{model.display} has Mamba layers, which no backend here streams.", "`--dry-run` shows its ceilings."
        )
    if quantized:
        raise UnsupportedArchitecture(
            f"{model.display} is quantised, and random weights are drawn in 16 or 32 bits.",
            "Take the model that it was made from.",
        )
    kind = getattr(transformers, dims.hf_class or "", None)
    if kind is None:
        raise UnsupportedArchitecture(
            f"transformers has no class for {model.display} ({dims.hf_class}).", "Take another model."
        )
    default = kind.config_class()
    fields: dict[str, Any] = {
        "num_hidden_layers": dims.num_layers,
        "hidden_size": dims.hidden_size,
        "intermediate_size": dims.ffn_hidden_size,
        "num_attention_heads": dims.num_attention_heads,
        "num_key_value_heads": dims.num_kv_heads,
        "head_dim": dims.head_dim,
        "vocab_size": dims.vocab_size,
        "tie_word_embeddings": dims.tied_embeddings,
        "max_position_embeddings": dims.max_context or CONTEXT,
        "rope_parameters": _rope(dims, default),
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        "architectures": [dims.hf_class],
    }
    if dims.norm_eps is not None:
        fields[NORM_EPS.get(kind.__name__, "rms_norm_eps")] = dims.norm_eps
    if kind.__name__ == "MistralForCausalLM":
        fields["sliding_window"] = None  # the class's own default is Mistral 7B's
    return kind.config_class(**fields)


def _rope(dims: Dense, default: Any) -> dict[str, Any]:
    own = {**(getattr(default, "rope_parameters", None) or {}), "rope_theta": dims.rope.theta}
    if dims.rope.fraction != 1:
        own["partial_rotary_factor"] = dims.rope.fraction
    return {**own, **_scaling(dims.rope.scaling)}


def _scaling(scaling: RopeScaling | None) -> dict[str, Any]:
    if scaling is None:
        return {"rope_type": "default"}
    original = (
        {} if scaling.original_context is None else {"original_max_position_embeddings": scaling.original_context}
    )
    return {
        "rope_type": scaling.type,
        "factor": scaling.factor,
        **original,
        **(LLAMA3_ROPE if scaling.type == "llama3" else {}),
    }


def _transformers_config(checkpoint: Checkpoint) -> Any:
    from transformers import AutoConfig

    if checkpoint.model is not None:
        return _config_of(checkpoint.model)
    try:
        return AutoConfig.from_pretrained(checkpoint.folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # transformers raises whatever its validation met
        reason = str(error).strip().splitlines()[-1].strip()[:200]
        raise InvalidConfig(
            f"transformers refuses {checkpoint.folder / 'config.json'} ({reason}).", "Mend it."
        ) from None


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
