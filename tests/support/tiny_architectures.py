"""A tiny random model of every causal-LM class that the installed transformers can make, by one rule for all of them.

The rule goes over the spellings of configuration keys (`tiny_shapes.SHAPES`), where a class has them; what a class needs of its
own is a row of `tiny_shapes.OWN`. Weights are large enough that predictions are far from uniform, and nothing that a model
adds or multiplies is left at 0 or 1, so that whatever is dropped on the way shows.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import torch

from support.tiny_shapes import NOT_MADE, OWN, SHAPES, VARIANTS

VOCABULARY = SHAPES["vocab_size"]
MATRIX, VECTOR = 0.15, 0.2
"""Standard deviation of weights, and of what is added to each vector (norm weights, biases, sinks) as the class draws it."""


@cache
def causal_lm_classes() -> dict[str, str]:
    """Model type → class, of all that `AutoModelForCausalLM` knows."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return dict(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def made_types() -> list[str]:
    """The model types of which a tiny model is made."""
    return sorted(kind for kind in causal_lm_classes() if kind not in NOT_MADE)


def tiny_config(kind: str, **changes: Any) -> Any:
    """The configuration of a model type or variant, in tiny shapes; `changes` go to it."""
    from transformers import CONFIG_MAPPING

    kind, varied = VARIANTS.get(kind, (kind, {}))
    return _shaped(CONFIG_MAPPING[kind], {**OWN.get(kind, {}), **varied, **changes})


def tiny_model(kind: str, **changes: Any) -> Any:
    """The model in eval mode, the same weights each time."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    return drawn(AutoModelForCausalLM.from_config(tiny_config(kind, **changes))).eval()


@torch.no_grad()
def drawn(model: Any) -> Any:
    """The model with weights drawn anew, by the order of their names."""
    generator = torch.Generator().manual_seed(1)
    for _, weight in sorted(model.named_parameters()):
        noise = torch.randn(weight.shape, generator=generator)
        if weight.ndim > 1:
            weight.copy_(noise * MATRIX)
        else:
            weight.add_(noise * VECTOR)
    for name, buffer in sorted(model.named_buffers()):
        if name.endswith("bias") and buffer.is_floating_point():
            buffer.add_(torch.randn(buffer.shape, generator=generator) * VECTOR)
    return model


def _shaped(config_class: Any, own: dict[str, Any]) -> Any:
    """A configuration with the tiny shapes of every key that its class has, and of its parts."""
    known = {field.name for field in dataclasses.fields(config_class)}
    aliases = config_class.attribute_map
    keys = {key if key in known else aliases.get(key, key): value for key, value in SHAPES.items()}
    words = {key: value for key, value in keys.items() if key in known} | own
    for part, part_class in config_class.sub_configs.items():
        words[part] = _part(config_class, part, part_class, own.get(part, {}))
    return config_class(**words)


def _part(config_class: Any, part: str, part_class: Any, own: dict[str, Any]) -> Any:
    from transformers import CONFIG_MAPPING

    if not dataclasses.is_dataclass(part_class):  # AutoConfig: the part may be of several types
        default = getattr(config_class(), part, None)
        if "model_type" not in own and default is None:
            return None
        part_class = CONFIG_MAPPING[own["model_type"]] if "model_type" in own else type(default)
    kind = getattr(part_class, "model_type", "")
    return _shaped(
        part_class, {**OWN.get(kind, {}), **{key: value for key, value in own.items() if key != "model_type"}}
    )
