"""What lm-eval's Hugging Face model takes (`HFLM.__init__` 0.4.13 and its keywords for `from_pretrained`), and what is ours.

Every argument is honoured, or changes nothing here and is said to be ours, or is refused with the way out. Values come from a
program or from lm-eval's command line, which has turned `True`, `None` and numbers into what they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.errors import ConflictingOptions, InvalidOption, UnknownName
from zoo.names import unknown

FOLDER = "Save the finished model with `save_pretrained` and give its folder as `pretrained`."
ONE_DEVICE = "Leave it out: minizoo runs a model whole on one device (`device=cuda:0`)."
BY_ENVIRONMENT = "Set {} in the environment instead."
QUANTISE = "Quantise the checkpoint beforehand and give that folder, or take `dtype=bfloat16`."

OURS: Mapping[str, str] = {
    "batch_size": "requests are packed by tokens, whatever the batch size",
    "max_batch_size": "requests are packed by tokens, whatever the batch size",
    "logits_cache": "what requests have in common is always computed once",
    "attn_implementation": "attention over packed requests is minizoo's own",
    "use_flash_attention_2": "attention over packed requests is minizoo's own",
    "low_cpu_mem_usage": "weights are read once, straight from safetensors",
    "use_cache": "keys and values are always kept",
}
"""Argument → why it changes no number here. Told once where its value is not HFLM's default."""

USUAL: Mapping[str, tuple[Any, ...]] = {
    "batch_size": (None, 1, "1"),
    "max_batch_size": (None, 64),
    "logits_cache": (None, True),
    "attn_implementation": (None,),
}
"""Argument → values of which nothing is told."""


@dataclass(frozen=True)
class Refused:
    """An argument that minizoo does not follow."""

    way_out: str
    harmless: tuple[Any, ...] = (None, False, "")
    """Values that ask for nothing."""


REFUSED: Mapping[str, Refused] = {
    "peft": Refused("Merge the adapter first (`merge_and_unload()`, then `save_pretrained`) and give the merged folder."),
    "delta": Refused(f"Add the delta to its base first. {FOLDER}"),
    "autogptq": Refused("Leave it out: a checkpoint that config.json says is quantised is read as such."),
    "gptqmodel": Refused("Leave it out: a checkpoint that config.json says is quantised is read as such."),
    "gguf_file": Refused("Give a folder of safetensors: `AutoModelForCausalLM.from_pretrained(…, gguf_file=…)` reads a GGUF, "
                         "and `save_pretrained` writes the folder."),
    "trust_remote_code": Refused("No code of a checkpoint's is run. A model that transformers knows by itself needs none."),
    "use_fast_tokenizer": Refused(
        "Leave it out: text is cut by the rules of tokenizer.json, which the model was trained with.", (None, True)
    ),
    "truncation": Refused(
        "Leave it out: prompts that are too long lose tokens on the left, as HFLM does by default, and are counted."
    ),
    "softmax_dtype": Refused("Leave it out: log-probabilities are always computed in float32.", (None, "float32", "torch.float32")),
    "mixed_precision_dtype": Refused("Give `dtype` alone: weights and products in one type."),
    "parallelize": Refused(ONE_DEVICE),
    "tp_plan": Refused(ONE_DEVICE),
    "tp_size": Refused(ONE_DEVICE),
    "device_mesh": Refused(ONE_DEVICE),
    "max_memory": Refused(ONE_DEVICE),
    "max_memory_per_gpu": Refused(ONE_DEVICE),
    "max_cpu_memory": Refused(ONE_DEVICE),
    "offload_folder": Refused(ONE_DEVICE, (None, "", "./offload")),
    "offload_state_dict": Refused(ONE_DEVICE),
    "offload_buffers": Refused(ONE_DEVICE),
    "load_in_4bit": Refused(QUANTISE),
    "load_in_8bit": Refused(QUANTISE),
    "quantization_config": Refused(QUANTISE),
    "config": Refused("Change config.json in a copy of the folder."),
    "state_dict": Refused(FOLDER),
    "use_safetensors": Refused(
        "Leave it out: weights are read from safetensors, and pickled ones are converted once.", (None, True)
    ),
    "from_tf": Refused(FOLDER),
    "from_flax": Refused(FOLDER),
    "variant": Refused("Fetch that variant into a folder of its own, its files named model*.safetensors."),
    "ignore_mismatched_sizes": Refused("Weights that do not fit config.json would be random numbers: mend the checkpoint."),
    "key_mapping": Refused(FOLDER),
    "cache_dir": Refused(BY_ENVIRONMENT.format("HF_HUB_CACHE")),
    "force_download": Refused("Remove the model from the hub's cache (`hf cache rm`)."),
    "local_files_only": Refused(BY_ENVIRONMENT.format("HF_HUB_OFFLINE=1")),
    "token": Refused(BY_ENVIRONMENT.format("HF_TOKEN")),
    "use_auth_token": Refused(BY_ENVIRONMENT.format("HF_TOKEN")),
    "proxies": Refused(BY_ENVIRONMENT.format("HTTPS_PROXY")),
    "assistant_model": Refused("Leave it out: decoding is packed already."),
}  # fmt: skip
"""Argument → what to do instead."""

REFUSED_PREFIXES: Mapping[str, Refused] = {"bnb_": Refused(QUANTISE), "llm_int8_": Refused(QUANTISE)}
"""Beginning of an argument's name → as above."""


@dataclass(frozen=True)
class Arguments:
    """The arguments of a `MinizooLM`, read: each field is one that is honoured."""

    pretrained: str
    backend: str | None = None
    """None is what fits the model."""
    revision: str | None = None
    """None is minizoo's own rule: a registry entry's pinned commit, else the hub's newest."""
    subfolder: str = ""
    tokenizer: Any = None
    """None is the model's own; a folder, a hub id, or transformers' own tokenizer."""
    max_length: int | None = None
    device: str = "auto"
    dtype: str = "auto"
    """`auto` is the checkpoint's own."""
    prefix_token_id: int | None = None
    add_bos_token: bool | None = None
    think_end_token: str | int | None = None
    enable_thinking: bool | None = None
    chat_template_args: Mapping[str, Any] = field(default_factory=dict[str, Any])
    eager: bool = False
    """minizoo's own: without packing, the reference."""
    seed: int | None = None
    """minizoo's own: of sampled generations; None is the seed that torch was given, which lm-eval's `--seed` sets."""
    batch_size: int | str = 1
    """As it was given: nothing follows from it."""
    told: tuple[str, ...] = ()
    """What was given and changes nothing, each with why."""


def read_arguments(pretrained: Any, given: Mapping[str, Any]) -> Arguments:
    """The arguments as they are meant.

    Raises UnknownName for one that neither HFLM nor minizoo has, InvalidOption for one that is refused or whose value cannot
    be read, ConflictingOptions for two that do not go together.
    """
    for name, value in given.items():
        _check(name, value)
    words = {name: value for name, value in given.items() if name in HONOURED and value is not None}
    read = {_FIELD.get(name, name): HONOURED[name](name, value) for name, value in words.items()}
    for name, twin in _FIELD.items():
        if name in words and twin in words and HONOURED[twin](twin, words[twin]) != HONOURED[name](name, words[name]):
            raise ConflictingOptions(f"{twin}={words[twin]} and {name}={words[name]} disagree.", f"Give {twin} alone.")
    if read.get("enable_thinking") and read.get("think_end_token") is None:
        raise ConflictingOptions(
            "enable_thinking=True needs think_end_token: without it the thoughts would be scored as the answer.",
            "Give the token that ends them (`think_end_token=</think>`), as text or as its id.",
        )
    told = [f"{name}={value}: {OURS[name]}" for name, value in given.items() if _is_told(name, value)]
    return Arguments(_pretrained(pretrained), **read, batch_size=_batch_size(given.get("batch_size")), told=tuple(told))


def _check(name: str, value: Any) -> None:
    rule = REFUSED.get(name) or next((r for start, r in REFUSED_PREFIXES.items() if name.startswith(start)), None)
    if rule is not None:
        if not _among(_plain(value), rule.harmless):
            raise InvalidOption(f"minizoo's model does not follow {name}={value}.", rule.way_out)
    elif name not in HONOURED and name not in OURS:
        known = [*HONOURED, *OURS, *REFUSED]
        listing = (
            "It takes the arguments of lm-eval's own `hf` model, `eager` and `seed`; a key of config.json is changed in a copy "
            "of the folder."
        )
        raise unknown(UnknownName, "argument of minizoo's model", name, known, listing)


def _is_told(name: str, value: Any) -> bool:
    return name in OURS and not _among(value, USUAL.get(name, (None,)))


def _among(value: Any, values: tuple[Any, ...]) -> bool:
    """Whether a value is one of those, and of its kind: 1 is not True."""
    return any(type(value) is type(one) and value == one for one in values)


def _plain(value: Any) -> Any:
    """torch's dtypes by their names, anything else as it is."""
    return str(value) if type(value).__module__ == "torch" else value


def _pretrained(value: Any) -> str:
    if isinstance(value, str | os.PathLike) and str(value):
        return os.fspath(value)
    if value is None or value == "":
        raise InvalidOption(
            "No model was named.", "Give pretrained=… : a folder, a hub id or a name of minizoo's registry."
        )
    if isinstance(value, int | float):
        return str(value)
    raise InvalidOption(
        f"pretrained is a {type(value).__name__}, and minizoo loads models itself.",
        "Save it with `save_pretrained` (its tokenizer too) and give the folder.",
    )


def _batch_size(value: Any) -> int | str:
    if value is None or _among(value, (1, "1")):
        return 1
    text = str(value)
    if text.split(":")[0] == "auto":
        return "auto"
    return _count("batch_size", value)


def _text(name: str, value: Any) -> str:
    """Text, or what lm-eval's command line took for a number."""
    if isinstance(value, str | os.PathLike | int | float) and not isinstance(value, bool):
        return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    if type(value).__module__ == "torch":
        return str(value)
    raise InvalidOption(f"{name} is {value!r}, which is no text.", f"Give {name} as text.")


def _revision(name: str, value: Any) -> str | None:
    text = _text(name, value)
    return None if text in ("main", "") else text


def _count(name: str, value: Any) -> int:
    number = _id(name, value)
    if number < 1:
        raise InvalidOption(f"{name} is {value}.", "Give a whole number of 1 or more.")
    return number


def _id(name: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    raise InvalidOption(f"{name} is {value!r}, which is no whole number.", "Give a whole number of 0 or more.")


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    said = {"true": True, "1": True, "false": False, "0": False}.get(str(value).strip().lower())
    if said is None:
        raise InvalidOption(f"{name} is {value!r}.", "Give True or False.")
    return said


def _dtype(name: str, value: Any) -> str:
    return _text(name, value).removeprefix("torch.")


def _device(name: str, value: Any) -> str:
    """One device; also as `device_map` names one. A map over several is refused."""
    if isinstance(value, Mapping):
        named: set[Any] = set(value.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        value = named.pop() if len(named) == 1 else "auto"
    if name == "device_map":
        if isinstance(value, int):
            return f"cuda:{value}"
        if str(value) in ("auto", "balanced", "balanced_low_0", "sequential", "disk"):
            raise InvalidOption(f"minizoo's model does not follow device_map={value}.", ONE_DEVICE)
    return _text(name, value)


def _tokenizer(name: str, value: Any) -> Any:
    if not isinstance(value, str | os.PathLike) and hasattr(value, "convert_ids_to_tokens"):
        return value
    return _text(name, value) or None


def _think_end(name: str, value: Any) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = _text(name, value)
    return int(text) if text.isdigit() else text


def _template_arguments(name: str, value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    raise InvalidOption(
        f"{name} is {value!r}, which is no mapping.", "Give a mapping of the template's own names to values."
    )


def _backend(name: str, value: Any) -> str | None:
    text = _text(name, value)
    if text == "seq2seq":
        raise InvalidOption(
            "minizoo's model does not follow backend=seq2seq: it runs decoder-only models.",
            "Use lm-eval's `--model hf`.",
        )
    return None if text in ("default", "causal") else text


Read = Callable[[str, Any], Any]
"""(name, value) → the value as it is meant; None never comes here."""

HONOURED: Mapping[str, Read] = {
    "backend": _backend,
    "revision": _revision,
    "subfolder": _text,
    "tokenizer": _tokenizer,
    "max_length": lambda name, value: _id(name, value) or None,
    "device": _device,
    "device_map": _device,
    "dtype": _dtype,
    "torch_dtype": _dtype,
    "prefix_token_id": _id,
    "add_bos_token": _flag,
    "think_end_token": _think_end,
    "enable_thinking": _flag,
    "chat_template_args": _template_arguments,
    "eager": _flag,
    "seed": _id,
}
"""Argument → how its value is read."""

_FIELD = {"torch_dtype": "dtype", "device_map": "device"}
"""Names that transformers has for an argument of HFLM."""
