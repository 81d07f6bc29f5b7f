"""Configurations of models at their true dimensions: the registry's dims as transformers' config, or a folder's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.arch.dims import Dense, RopeScaling
from zoo.arch.hf_config import read_config
from zoo.checkpoint.head import config_as_stored
from zoo.checkpoint.locate import Checkpoint
from zoo.checkpoint.model_ref import ModelRef
from zoo.checkpoint.plan_folder import LAYER_WIDTHS
from zoo.checkpoint.precision import check_unquantised
from zoo.errors import UnsupportedArchitecture
from zoo.registry.loader import Model

CONTEXT = 32_768
"""Positions of a model whose sources state none: enough for every workload that minizoo brings."""
NORM_EPS = {"NemotronForCausalLM": "norm_eps"}
"""Where the epsilon of the norms is not called rms_norm_eps."""
LLAMA3_ROPE = {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
"""Of Llama 3.1's and 3.2's published config.json; the registry does not hold them, and they change no work."""


def random_checkpoint(ref: ModelRef) -> Checkpoint:
    """A checkpoint that is a configuration and nothing else: of a registry model, or of a folder with a config.json.

    Where the folder has weights its head is theirs, tied or not. Raises UnsupportedArchitecture for a quantised entry, a
    hybrid, a hub model that is in no registry, and layers of unlike widths, UnsupportedDtype for a quantised folder.
    """
    if ref.entry is not None:
        return Checkpoint(ref, Path(ref.id), config_of(ref.entry).to_dict())
    if ref.folder is None:
        raise UnsupportedArchitecture(
            f"The dimensions of {ref.id} are not known before it is fetched.",
            "Give a folder or a model of the registry.",
        )
    config = read_config(ref.folder)
    if LAYER_WIDTHS in config:
        raise UnsupportedArchitecture(
            f"The layers of {ref.folder} differ in width.", "Random weights are drawn for uniform models only."
        )
    check_unquantised(config, ref.folder)
    return Checkpoint(ref, ref.folder, config_as_stored(config, ref.folder))


def config_of(model: Model) -> Any:
    """transformers' configuration of a registry model, from its dimensions alone."""
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
    return config_of_dims(dims, model.display)


def config_of_dims(dims: Dense, display: str) -> Any:
    """transformers' configuration of a dense model of these dimensions; messages call it `display`."""
    import transformers

    kind = getattr(transformers, dims.hf_class or "", None)
    if kind is None:
        raise UnsupportedArchitecture(
            f"transformers has no class for {display} ({dims.hf_class}).", "Take another model."
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
    fields |= {key: True for key, has in (("attention_bias", dims.o_bias), ("mlp_bias", dims.mlp_bias)) if has}
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
