"""How the value of a model's argument is read: from a program, or from lm-eval's command line, which makes `1` of `"1"`.

A reader takes (name, value) and gives the value as it is meant, or raises InvalidOption. None asks for nothing: it is not read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, cast

from zoo.errors import InvalidOption

ONE_DEVICE = "Leave it out: minizoo runs a model whole on one device (`device=cuda:0`)."
SPREAD = ("auto", "balanced", "balanced_low_0", "sequential", "disk")
"""Values of `device_map` by which transformers spreads a model over devices."""


def same(value: Any, one: Any) -> bool:
    """Whether two values are equal and of one kind: 1 is not True."""
    return type(value) is type(one) and value == one


def plain(value: Any) -> Any:
    """torch's dtypes and devices by their names, anything else as it is."""
    return str(value).removeprefix("torch.") if type(value).__module__ == "torch" else value


def text(name: str, value: Any) -> str:
    """Text, a path, or what the command line took for a number."""
    value = plain(value)
    if isinstance(value, str | os.PathLike | int | float) and not isinstance(value, bool):
        return os.fspath(cast("os.PathLike[str]", value)) if isinstance(value, os.PathLike) else str(value)
    raise InvalidOption(f"{name} is {value!r}, which is no text.", f"Give {name} as text.")


def dtype(name: str, value: Any) -> str:
    """A dtype's name, with or without `torch.` before it."""
    return text(name, value).removeprefix("torch.")


def pretrained(value: Any) -> str:
    """The model's name. A model that is loaded already is refused."""
    if value is None or value == "":
        raise InvalidOption(
            "No model was named.", "Give pretrained=… : a folder, a hub id or a name of minizoo's registry."
        )
    if isinstance(value, str | os.PathLike | int | float) and not isinstance(value, bool):
        return text("pretrained", value)
    raise InvalidOption(
        f"pretrained is a {type(value).__name__}, and minizoo loads models itself.",
        "Save it with `save_pretrained` (its tokenizer too) and give the folder.",
    )


def batch_size(value: Any) -> int | str:
    """A number, or `auto` with whatever schedule; as HFLM's attribute of that name has it."""
    said = str(1 if value is None else value)
    return "auto" if said.split(":")[0] == "auto" else whole("batch_size", said)


def revision(name: str, value: Any) -> str | None:
    """A revision; None for `main`, which is HFLM's default and stands for minizoo's own rule."""
    said = text(name, value)
    return None if said in ("main", "") else said


def whole(name: str, value: Any) -> int:
    """A whole number of 0 or more."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    raise InvalidOption(f"{name} is {value!r}, which is no whole number.", "Give a whole number of 0 or more.")


def length(name: str, value: Any) -> int | None:
    """A number of tokens; 0 is none, as in HFLM."""
    return whole(name, value) or None


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if isinstance(value, bool):
        return value
    said = {"true": True, "1": True, "false": False, "0": False}.get(str(value).strip().lower())
    if said is None:
        raise InvalidOption(f"{name} is {value!r}.", "Give True or False.")
    return said


def device(name: str, value: Any) -> str:
    """One device, also as `device_map` names one. A map over several is refused."""
    if isinstance(value, Mapping):
        named = set(map(str, cast("Mapping[str, Any]", value).values()))
        value = named.pop() if len(named) == 1 else "auto"
    if name == "device_map" and str(value) in SPREAD:
        raise InvalidOption(f"minizoo's model does not follow {name}={value}.", ONE_DEVICE)
    said = text(name, value)
    return f"cuda:{said}" if said.isdecimal() else said


def tokenizer(name: str, value: Any) -> Any:
    """A folder or a hub id; a tokenizer that transformers made stays as it is."""
    return value if hasattr(value, "convert_ids_to_tokens") else text(name, value) or None


def token(name: str, value: Any) -> str | int:
    """A token's text or its id."""
    said = text(name, value)
    return int(said) if said.isdecimal() else said


def mapping(name: str, value: Any) -> Mapping[str, Any]:
    """Names and values for a template."""
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    raise InvalidOption(
        f"{name} is {value!r}, which is no mapping.", "Give a mapping of the template's names to values."
    )


def backend(name: str, value: Any) -> str | None:
    """One of minizoo's backends; None, what fits the model, for HFLM's `default` and `causal`."""
    said = text(name, value)
    if said == "seq2seq":
        raise InvalidOption(
            f"minizoo's model does not follow {name}=seq2seq: it runs decoder-only models.",
            "Use lm-eval's `--model hf`.",
        )
    return None if said in ("default", "causal") else said
