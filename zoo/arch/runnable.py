"""Whether transformers, as it is installed here, runs a model: by its config.json or the name of its class. Reads no weight."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from logging import CRITICAL
from typing import Any

from zoo.errors import one_line

QUANTISED_BY = ("quantization_config", "compression_config")
"""Keys of config.json under which a quantiser describes itself."""
TAKE_WHOLE = "Take the model that it was quantised from."
BLOCKS = "weight_block_size"
"""transformers writes this key into every fp8 configuration of its own; AutoFP8, which vLLM reads, does not know it."""


LONGEST_WORD = 60
"""Characters that a message repeats of a config.json's own word."""


@dataclass(frozen=True)
class Obstacle:
    """Why a model does not run: a word to sort by, the reason as the end of a sentence, and what to do."""

    topic: str
    why: str
    hint: str


@dataclass(frozen=True)
class Quantised:
    """What a config.json says of its quantisation: under which key, by which method, and with which settings."""

    key: str
    method: str | None
    settings: Mapping[str, Any]


def stated_quantisation(config: Mapping[str, Any]) -> Quantised | None:
    """How a config.json says that the weights are quantised; None where it does not."""
    text = config.get("text_config")
    for part in (config, text if isinstance(text, Mapping) else {}):
        for key in QUANTISED_BY:
            stated = part.get(key)
            if stated:
                settings: Mapping[str, Any] = stated if isinstance(stated, Mapping) else {}
                method = settings.get("quant_method") or settings.get("quant_algo")
                return Quantised(key, str(method)[:LONGEST_WORD] if method else None, settings)
    return None


def class_obstacle(config: Mapping[str, Any]) -> Obstacle | None:
    """What keeps transformers from making a causal language model of this config.json; None where nothing does."""
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL

    kind = config.get("model_type")
    if not isinstance(kind, str) or kind in CAUSAL:
        return None
    known, kind = kind in CONFIG_MAPPING, kind[:LONGEST_WORD]
    if known:
        return _no_causal_model(f"is a '{kind}', which transformers does not load as a causal language model")
    if config.get("auto_map"):
        why = f"is a '{kind}', which only code of its own (auto_map in its config.json) can load"
        return Obstacle("remote code", why, "No code that comes with a checkpoint is run here: take another model.")
    return Obstacle("no class", f"is a '{kind}', which transformers here does not know", _newer())


def named_class_obstacle(name: str, remote_code: bool = False) -> Obstacle | None:
    """The same by the name of a class alone, which is quick: nothing of torch is imported for a class of the usual name."""
    if name in _classes():
        if name.endswith("ForCausalLM"):
            return None
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL

        if name in CAUSAL.values():
            return None
        return _no_causal_model(f"is a {name}, which transformers does not load as a causal language model")
    if remote_code:
        why = f"is a {name}, which only code of its own can load"
        return Obstacle("remote code", why, "No code that comes with a checkpoint is run here: take another model.")
    return Obstacle("no class", f"is a {name}, which transformers here does not have", _newer())


def quantisation_obstacle(stated: Quantised, dtype: str = "auto") -> Obstacle | None:
    """What keeps transformers from running weights that are quantised so, on this machine and in `dtype`.

    None where it runs them. What a method needs (packages, a GPU) transformers itself is asked, without a weight.
    """
    how = f"is quantised ({stated.method or 'method unnamed'}: {stated.key} in its config.json)"
    if stated.method == "fp8" and BLOCKS not in stated.settings:
        why = f"{how} in the form of AutoFP8, whose scales (weight_scale) transformers leaves out"
        return Obstacle("quantised", why, TAKE_WHOLE)
    if stated.key != QUANTISED_BY[0] or not _is_known(stated.settings):
        # transformers would go on as if the weights were plain
        return Obstacle("quantised", f"{how}, which transformers here does not read", TAKE_WHOLE)
    reason = _refused_by_transformers(stated.settings)
    if reason:
        return Obstacle("quantised", f"{how}, and transformers cannot run that here ({reason})", TAKE_WHOLE)
    if _is_widened(stated) and dtype != "bfloat16":
        why = f"{how}, which transformers widens to bfloat16 here and cannot run in another dtype"
        return Obstacle("quantised", why, "Give `--dtype bfloat16`, or take the model that it was quantised from.")
    return None


def held_in_dtype(config: Mapping[str, Any]) -> bool:
    """Whether transformers here holds the weights in the dtype that it computes in: plain ones, and fp8 that it widens."""
    stated = stated_quantisation(config)
    return stated is None or _is_widened(stated)


def _is_known(settings: Mapping[str, Any]) -> bool:
    from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING

    if settings.get("load_in_8bit") or settings.get("load_in_4bit"):
        return True  # bitsandbytes' own spelling of a method
    return settings.get("quant_method") in AUTO_QUANTIZATION_CONFIG_MAPPING


def _refused_by_transformers(settings: Mapping[str, Any]) -> str | None:
    """The reason with which transformers refuses these settings on this machine, in a line; None where it does not."""
    from transformers.quantizers.auto import AutoHfQuantizer
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(CRITICAL)
    try:
        quantiser: Any = AutoHfQuantizer.from_config(copy.deepcopy(dict(settings)), pre_quantized=True)
        quantiser.validate_environment(device_map=None, weights_only=True)
    except Exception as error:  # a package that is not there, a GPU that is not there, settings that make no sense
        return one_line(error)[:160].rstrip(".") or type(error).__name__
    finally:
        logging.set_verbosity(verbosity)
    return None


def _is_widened(stated: Quantised) -> bool:
    """Whether transformers takes fp8 weights for bf16 on this machine: without a GPU that multiplies fp8."""
    import torch

    if stated.method not in ("fp8", "mxfp8"):
        return False
    return not (torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 9))


@functools.cache
def _classes() -> frozenset[str]:
    """Every name that transformers offers, without importing what they stand for."""
    import transformers

    return frozenset(dir(transformers))


def _no_causal_model(why: str) -> Obstacle:
    return Obstacle("no language model", why, "Take a model of text alone, or save its text model by itself.")


def _newer() -> str:
    return "Take another model, or install a transformers that has its class (`pip install -U transformers`)."
