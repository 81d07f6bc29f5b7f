"""A checkpoint's config.json held against the registry's entry, whatever its keys are called that year.

Minitron-4B's own history spells the rotary share three ways in three commits and the head width two ways.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from zoo.arch.dims import Dense, Hybrid, Rope
from zoo.errors import EnvironmentIssue, InputError
from zoo.names import closest

# dimension → the keys that have held it, newest first
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
ACTIVATIONS = {"silu": "swiglu", "gelu_pytorch_tanh": "geglu", "gelu": "geglu", "relu2": "relu2"}
LETTERS = {"mamba": "M", "linear_attention": "M", "attention": "*", "full_attention": "*", "mlp": "-"}


@dataclass(frozen=True)
class Difference:
    """A dimension on which config and entry disagree, or that one of the two does not state (None)."""

    dimension: str
    key: str
    entry: Any
    config: Any

    @property
    def contradicts(self) -> bool:
        """Whether the two say different things; a dimension that one of them leaves open is no contradiction.

        A config without rope scaling does not leave it open: it has none.
        """
        return self.dimension == "rope.scaling.type" or None not in (self.entry, self.config)


def compare(dims: Dense | Hybrid, config: Mapping[str, Any]) -> list[Difference]:
    """Every dimension that differs or is stated on one side only, in the order of SPELLINGS.

    Two spellings of one dimension that contradict each other inside `config` are a difference each.
    """
    differences: list[Difference] = []
    flat = _flat(config)
    for dimension, keys in SPELLINGS.items():
        if dimension.startswith("rope.") and isinstance(dims, Hybrid):
            continue  # Nemotron-H attends without positions, whatever rope keys its config carries along
        expected = _expected(dims, dimension)
        found = [(key, _normal(dimension, flat[key])) for key in keys if flat.get(key) is not None]
        for key, value in found or [(keys[0], _assumed(dimension, flat))]:
            if value != expected:
                differences.append(Difference(dimension, key, expected, value))
    return differences


def read_config(where: str) -> dict[str, Any]:
    """The config.json of a folder, or the file itself. Raises InputError for what is not there or not JSON."""
    path = Path(where).expanduser()
    file = path / "config.json" if path.is_dir() else path
    try:
        config = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no {file}.", "Give a config.json, the folder that holds it, or 'hub'.") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not JSON: {error}.", "Fetch the file again.") from None
    if not isinstance(config, dict):
        raise InputError(f"{file} holds no JSON object.", "Give a config.json.")
    return config


def fetch_config(hub_id: str, revision: str | None) -> dict[str, Any]:
    """The config.json of a hub repository at `revision` (its newest where None).

    Raises EnvironmentIssue when the hub cannot be reached, does not know the repository or asks for a login.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return read_config(hf_hub_download(hub_id, "config.json", revision=revision))
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise EnvironmentIssue(
            f"config.json of {hub_id} cannot be had from the hub ({reason}).",
            "Where the hub is out of reach, give --check a file or folder; for a gated model, log in first.",
        ) from None


def _expected(dims: Dense | Hybrid, dimension: str) -> Any:
    part: Any = dims
    for name in dimension.split("."):
        part = getattr(part, name, None)
    return part


def _normal(dimension: str, value: Any) -> Any:
    if dimension == "activation":
        return ACTIVATIONS.get(str(value), value)
    return float(value) if dimension.startswith("rope.") and _is_number(value) else value


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """One level of keys: the text part of a multimodal config, the rotary ones out of their nests, a layer list as
    a pattern. transformers 5 keeps theta, share and scaling together in rope_parameters; older files apart."""
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


def _assumed(dimension: str, flat: Mapping[str, Any]) -> Any:
    """What transformers assumes where the key is absent; None where that depends on the model class."""
    hidden, heads = flat.get("hidden_size"), flat.get("num_attention_heads")
    if dimension == "head_dim" and isinstance(hidden, int) and isinstance(heads, int) and heads > 0:
        return hidden // heads
    return 1.0 if dimension == "rope.fraction" else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True)
class Family:
    """What sets one model class apart from another: its activation, its norm, and the config keys of both."""

    hf_class: str
    activation: Literal["swiglu", "relu2"]
    hidden_act: str
    norm: Literal["rmsnorm", "layernorm1p"]
    eps_key: str
    rope_fraction: float
    """The rotary share where the config names none."""


FAMILIES: dict[str, Family] = {
    "llama": Family("LlamaForCausalLM", "swiglu", "silu", "rmsnorm", "rms_norm_eps", 1.0),
    "mistral": Family("MistralForCausalLM", "swiglu", "silu", "rmsnorm", "rms_norm_eps", 1.0),
    "nemotron": Family("NemotronForCausalLM", "relu2", "relu2", "layernorm1p", "norm_eps", 0.5),
}


def dims_of(config: Mapping[str, Any], where: Path) -> Dense:
    """The dimensions that a config.json states. Raises InputError for an unknown architecture or a missing key."""
    kind = str(config.get("model_type"))
    family = FAMILIES.get(kind)
    if family is None:
        near = closest(kind, FAMILIES)
        raise InputError(
            f"{where} is a '{kind}'; minizoo prunes {', '.join(FAMILIES)}.",
            f"Did you mean '{near}'?" if near else "Take a model of one of these architectures.",
        )
    activation = str(config.get("hidden_act", family.hidden_act))
    if activation != family.hidden_act:
        raise InputError(f"{where} has activation '{activation}', a {kind} has '{family.hidden_act}'.", "Mend it.")
    try:
        heads = int(config["num_attention_heads"])
        return Dense(
            type="dense",
            num_layers=config["num_hidden_layers"],
            hidden_size=config["hidden_size"],
            ffn_hidden_size=config["intermediate_size"],
            num_attention_heads=heads,
            num_kv_heads=config.get("num_key_value_heads") or heads,
            head_dim=config.get("head_dim") or config.get("kv_channels") or config["hidden_size"] // heads,
            vocab_size=config["vocab_size"],
            tied_embeddings=bool(config.get("tie_word_embeddings", False)),
            max_context=config.get("max_position_embeddings"),
            hf_class=family.hf_class,
            activation=family.activation,
            norm=family.norm,
            norm_eps=config.get(family.eps_key),
            norms_per_layer=2,
            rope=_rope(config, family),
        )
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else repr(error)
        raise InputError(f"{where} has no usable config.json ({reason}).", "Write it again.") from None


def _rope(config: Mapping[str, Any], family: Family) -> Rope:
    nested = config.get("rope_parameters")
    keys: Mapping[str, Any] = {**config, **nested} if isinstance(nested, Mapping) else config
    spelled = (keys[key] for key in ("partial_rotary_factor", "rope_percent", "rope_percentage") if key in keys)
    return Rope(theta=float(keys.get("rope_theta", 10000.0)), fraction=float(next(spelled, family.rope_fraction)))
