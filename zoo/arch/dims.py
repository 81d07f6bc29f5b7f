"""The dimensions of a model, as a tagged union: `dense` transformers and Mamba-attention `hybrid`s.

Field names follow NVIDIA Model-Optimizer's pruning vocabulary (`export_config`), so an axis of compression and a
dimension have one name. `head_dim` is never derived: in Minitron-8B, both 4B-Width and Mistral-NeMo it is not
hidden_size / num_attention_heads.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from zoo.strict import Count, Strict

LATER = ("o_bias", "mlp_bias", "qk_norm")
"""Dimensions that the first plans do not have: written where they hold alone, so that older plans keep their digests."""


class RopeScaling(Strict):
    """A stretched rotary embedding, as its config.json names it. Absent values are unknown."""

    type: Literal["llama3", "yarn", "linear", "dynamic"]
    factor: Annotated[float, Field(gt=0)]
    original_context: Count | None = None


class Rope(Strict):
    """Rotary position embedding: base `theta`, over the first `fraction` of each head's channels."""

    theta: Annotated[float, Field(gt=0)]
    fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    scaling: RopeScaling | None = None


class _Dims(Strict):
    num_layers: Count
    hidden_size: Count
    ffn_hidden_size: Count
    num_attention_heads: Count
    num_kv_heads: Count
    head_dim: Count
    vocab_size: Count
    tied_embeddings: bool
    max_context: Count | None = Field(None, description="Positions of config.json; absent where no source states it.")
    hf_class: str | None = None


class Dense(_Dims):
    """A decoder of identical layers: attention and MLP in each."""

    type: Literal["dense"]
    activation: Literal["relu2", "swiglu", "geglu"]
    norm: Literal["rmsnorm", "layernorm1p"]
    norm_eps: Annotated[float, Field(gt=0)] | None = None
    norms_per_layer: Literal[2, 4] = Field(2, description="4 where a norm also follows attention and MLP (Gemma 2).")
    qkv_bias: bool = False
    o_bias: bool = Field(False, description="A bias behind attention's output projection.")
    mlp_bias: bool = Field(False, description="A bias behind each matrix of the MLP.")
    qk_norm: bool = Field(False, description="RMSNorm of each head's queries and of its keys, before they are rotated.")
    rope: Rope

    @model_serializer(mode="wrap")
    def _without_unset(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in whole(self).items() if value or name not in LATER}


class Hybrid(_Dims):
    """A decoder whose layers each do one thing: `M` a Mamba-2 mixer, `*` attention, `-` an MLP."""

    type: Literal["hybrid"]
    pattern: Annotated[str, Field(pattern=r"^[M*-]+$")]
    activation: Literal["relu2"]
    norm: Literal["rmsnorm"]
    norm_eps: Annotated[float, Field(gt=0)] | None = None
    mamba_num_heads: Count
    mamba_head_dim: Count
    mamba_state_dim: Count
    mamba_groups: Count
    mamba_conv_kernel: Count


Architecture = Annotated[Dense | Hybrid, Field(discriminator="type")]
