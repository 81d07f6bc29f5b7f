"""What lm-eval's Hugging Face model takes (`HFLM.__init__` 0.4.13 and its keywords for `from_pretrained`), and what is ours.

Every argument is honoured, or changes nothing here and is said to be ours, or is refused with the way out. Values come from a
program or from lm-eval's command line, which has turned `True`, `None` and numbers into what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.lmeval.opening import argument_values as values
from harness.lmeval.opening.argument_values import ONE_DEVICE, plain, same
from zoo.errors import ConflictingOptions, InvalidOption, UnknownName
from zoo.names import unknown

FOLDER = "Save the finished model with `save_pretrained` and give its folder as `pretrained`."
BY_ENVIRONMENT = "Set {} in the environment instead."
QUANTISE = "Quantise the checkpoint beforehand and give that folder, or take `dtype=bfloat16`."

Read = Callable[[str, Any], Any]
"""(name, value) → the value as it is meant; None is not read."""

HONOURED: Mapping[str, Read] = {
    "backend": values.backend,
    "revision": values.revision,
    "subfolder": values.text,
    "tokenizer": values.tokenizer,
    "max_length": values.length,
    "device": values.device,
    "dtype": values.dtype,
    "prefix_token_id": values.whole,
    "add_bos_token": values.flag,
    "think_end_token": values.token,
    "enable_thinking": values.flag,
    "chat_template_args": values.mapping,
    "eager": values.flag,
    "seed": values.whole,
}
"""Argument → how its value is read; beside `pretrained`. The last two are minizoo's own."""

SPELLINGS: Mapping[str, str] = {"torch_dtype": "dtype", "device_map": "device"}
"""transformers' name → HFLM's argument that says the same."""

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
    "softmax_dtype": Refused("Leave it out: log-probabilities are always computed in float32.", (None, "float32")),
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

SECRET = ("token", "use_auth_token")
"""Arguments whose value is not shown."""
SHOWN = 60
"""Characters of a value that a message shows."""

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
    read: dict[str, Any] = {}
    for name, value in given.items():
        field_name = SPELLINGS.get(name, name)
        if field_name not in HONOURED or value is None:
            continue
        meant = HONOURED[field_name](name, value)
        if read.setdefault(field_name, meant) != meant:
            raise ConflictingOptions(
                f"{field_name} and its other spelling disagree ({name}={value}).", f"Give {field_name} alone."
            )
    if read.get("enable_thinking") and read.get("think_end_token") is None:
        raise ConflictingOptions(
            "enable_thinking=True needs think_end_token: without it the thoughts would be scored as the answer.",
            "Give the token that ends them (`think_end_token=</think>`), as text or as its id.",
        )
    size = values.batch_size(given.get("batch_size"))
    return Arguments(values.pretrained(pretrained), **read, batch_size=size, told=_told(given))


def _check(name: str, value: Any) -> None:
    rule = REFUSED.get(name) or next((rule for start, rule in REFUSED_PREFIXES.items() if name.startswith(start)), None)
    if rule is not None:
        if not any(same(plain(value), one) for one in rule.harmless):
            said = name if name in SECRET else f"{name}={str(value)[:SHOWN]}"
            raise InvalidOption(f"minizoo's model does not follow {said}.", rule.way_out)
    elif name not in HONOURED and name not in OURS and name not in SPELLINGS:
        known = ["pretrained", *HONOURED, *SPELLINGS, *OURS, *REFUSED]
        listing = (
            "It takes the arguments of lm-eval's own `hf` model, `eager` and `seed`; a key of config.json is changed in a copy "
            "of the folder."
        )
        raise unknown(UnknownName, "argument of minizoo's model", name, known, listing)


def _told(given: Mapping[str, Any]) -> tuple[str, ...]:
    """What changes nothing, arguments of one reason together."""
    by_reason: dict[str, list[str]] = {}
    for name, value in given.items():
        if name in OURS and not any(same(value, usual) for usual in USUAL.get(name, (None,))):
            by_reason.setdefault(OURS[name], []).append(f"{name}={value}")
    return tuple(f"{', '.join(names)}: of no effect here, {reason}." for reason, names in by_reason.items())
