"""The keys of config.json: which spellings have held a dimension, where they nest, and what a model class assumes without them.

`ConfigView` is the only reader of these keys. Minitron-4B's own history spells the rotary share in three ways and the
head width in two; transformers 5 keeps all rotary keys in `rope_parameters`; multimodal models nest everything in
`text_config`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

SPELLINGS: dict[str, tuple[str, ...]] = {
    "num_layers": ("num_hidden_layers",),
    "hidden_size": ("hidden_size",),
    "ffn_hidden_size": ("intermediate_size",),
    "num_attention_heads": ("num_attention_heads",),
    "num_kv_heads": ("num_key_value_heads",),
    "head_dim": ("head_dim", "kv_channels", "attention_head_dim"),
    "vocab_size": ("vocab_size",),
    "tied_embeddings": ("tie_word_embeddings",),
    "max_context": ("max_position_embeddings",),
    "norm_eps": ("rms_norm_eps", "norm_eps", "layer_norm_eps", "layer_norm_epsilon"),
    "activation": ("hidden_act", "hidden_activation", "mlp_hidden_act", "activation"),
    "rope.theta": ("rope_theta",),
    "rope.fraction": ("partial_rotary_factor", "rope_percent", "rope_percentage"),
    "rope.scaling.type": ("rope_scaling.type",),
    "rope.scaling.factor": ("rope_scaling.factor",),
    "rope.scaling.original_context": ("rope_scaling.original_max_position_embeddings",),
    "pattern": ("hybrid_override_pattern",),
    "mamba_num_heads": ("mamba_num_heads",),
    "mamba_head_dim": ("mamba_head_dim",),
    "mamba_state_dim": ("ssm_state_size",),
    "mamba_groups": ("n_groups",),
    "mamba_conv_kernel": ("conv_kernel",),
    "hf_class": ("architectures",),
}
"""Dimension → the keys that have held it, newest first."""

ACTIVATIONS = {"silu": "swiglu", "gelu_pytorch_tanh": "geglu", "gelu": "geglu", "relu2": "relu2"}
LETTERS = {"mamba": "M", "linear_attention": "M", "attention": "*", "full_attention": "*", "mlp": "-"}


@dataclass(frozen=True)
class Family:
    """A model class whose dimensions can be read: its activation, its norm, and what it assumes for absent keys."""

    hf_class: str
    activation: Literal["swiglu", "relu2"]
    norm: Literal["rmsnorm", "layernorm1p"]
    kv_heads: int | None = None
    """KV heads of a config without the key; None for as many as query heads."""
    head_dim: int | None = None
    """Width of a head in a config without the key; None for hidden_size / num_attention_heads."""
    always: tuple[str, ...] = ()
    """Biases and norms (fields of Dense) that every model of the class has."""
    by_key: Mapping[str, str] = field(default_factory=dict[str, str])
    """Those that a key of config.json decides: field of Dense → the key. Other classes do not heed it."""
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])


_COMMON = {"tied_embeddings": False, "rope.theta": 10000.0, "rope.fraction": 1.0}
_SWIGLU = {**_COMMON, "activation": "swiglu"}
_ATTENTION_BIAS = {"qkv_bias": "attention_bias", "o_bias": "attention_bias"}
_BIASES = {**_ATTENTION_BIAS, "mlp_bias": "mlp_bias"}

FAMILIES: dict[str, Family] = {
    "llama": Family("LlamaForCausalLM", "swiglu", "rmsnorm", by_key=_BIASES, defaults=_SWIGLU),
    "mistral": Family("MistralForCausalLM", "swiglu", "rmsnorm", kv_heads=8, defaults=_SWIGLU),
    "nemotron": Family(
        "NemotronForCausalLM", "relu2", "layernorm1p", by_key=_BIASES,
        defaults={**_COMMON, "activation": "relu2", "rope.fraction": 0.5},
    ),
    "qwen2": Family("Qwen2ForCausalLM", "swiglu", "rmsnorm", kv_heads=32, always=("qkv_bias",), defaults=_SWIGLU),
    "qwen3": Family(
        "Qwen3ForCausalLM", "swiglu", "rmsnorm", kv_heads=32, head_dim=128, always=("qk_norm",), by_key=_ATTENTION_BIAS,
        defaults=_SWIGLU,
    ),
}  # fmt: skip
"""`model_type` → family. The defaults are those of transformers' config classes."""

RELATIVES = {
    "mixtral": "a mixture of experts",
    "qwen2_moe": "a mixture of experts",
    "qwen3_moe": "a mixture of experts",
    "qwen3_next": "a mixture of experts with linear attention",
    "qwen3_5": "a model with linear attention",
    "qwen3_5_moe": "a mixture of experts with linear attention",
    "qwen2_vl": "a model of images and text",
    "qwen2_5_vl": "a model of images and text",
    "qwen3_vl": "a model of images and text",
    "qwen3_vl_moe": "a mixture of experts of images and text",
    "qwen2_audio": "a model of sound and text",
    "qwen2_5_omni": "a model of images, sound and text",
    "qwen3_omni_moe": "a mixture of experts of images, sound and text",
}
"""`model_type` of classes that are named like one of FAMILIES and are none → what they are."""


class ConfigView:
    """A config.json by dimension (the names of SPELLINGS), whatever its keys are called and however they nest."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.model_type = str(config.get("model_type"))
        self.family = FAMILIES.get(self.model_type)
        self._keys = _flattened(config)

    def stated(self, dimension: str) -> list[tuple[str, Any]]:
        """Each key that states the dimension, with its value in the registry's terms; two keys may contradict each other."""
        keys = SPELLINGS[dimension]
        return [(key, _in_our_terms(dimension, self._keys[key])) for key in keys if self._keys.get(key) is not None]

    def default(self, dimension: str) -> Any:
        """What transformers assumes where every key is absent; None where that is not known."""
        if dimension == "head_dim":
            if self.family is not None and self.family.head_dim is not None:
                return self.family.head_dim
            hidden, heads = self._keys.get("hidden_size"), self._keys.get("num_attention_heads")
            return hidden // heads if isinstance(hidden, int) and isinstance(heads, int) and heads > 0 else None
        if self.family is None:
            return 1.0 if dimension == "rope.fraction" else None
        if dimension == "num_kv_heads":
            written_as_null = "num_key_value_heads" in self._keys
            return (None if written_as_null else self.family.kv_heads) or self._keys.get("num_attention_heads")
        return self.family.defaults.get(dimension)

    def has(self, part: str) -> bool:
        """Whether the layers have that bias or norm, a field of Dense such as `qkv_bias`."""
        family = self.family
        if family is None:
            return False
        return part in family.always or bool(part in family.by_key and self._keys.get(family.by_key[part]))

    def value(self, dimension: str) -> Any:
        """The dimension as transformers would take it: the newest spelling, else the default."""
        stated = self.stated(dimension)
        return stated[0][1] if stated else self.default(dimension)


def _flattened(config: Mapping[str, Any]) -> dict[str, Any]:
    """One level of keys: text_config over the rest, rotary keys out of their nests, a list of layers as a pattern."""
    text = config.get("text_config")
    flat = {**config, **text} if isinstance(text, Mapping) else dict(config)
    architectures = flat.get("architectures")
    flat["architectures"] = architectures[0] if isinstance(architectures, list) and architectures else None
    nested = flat.get("rope_parameters")
    rope = dict(nested) if isinstance(nested, Mapping) else {}
    flat.update({key: rope[key] for key in ("rope_theta", "partial_rotary_factor") if key in rope})
    scaling = flat.get("rope_scaling")
    scaling = dict(scaling) if isinstance(scaling, Mapping) else rope
    kind = scaling.get("rope_type") or scaling.get("type")
    if kind not in (None, "default"):
        flat["rope_scaling.type"] = kind
        flat.update({f"rope_scaling.{key}": scaling.get(key) for key in ("factor", "original_max_position_embeddings")})
    layers = flat.get("layers_block_type")
    if flat.get("hybrid_override_pattern") is None and isinstance(layers, list):
        flat["hybrid_override_pattern"] = "".join(LETTERS.get(str(layer), "?") for layer in layers)
        flat["num_hidden_layers"] = len(layers)
    return flat


def _in_our_terms(dimension: str, value: Any) -> Any:
    if dimension == "activation":
        return ACTIVATIONS.get(str(value), value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if dimension.startswith("rope.") and is_number else value
