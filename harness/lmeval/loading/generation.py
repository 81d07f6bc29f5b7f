"""A task's `generation_kwargs`, as lm-eval's own Hugging Face model reads them, or what of them is not run.

The rules are `lm_eval.models.utils.normalize_gen_kwargs` and `HFLM.generate_until` of 0.4.13: a limit
has four names; without `do_sample` a temperature above 0 samples; `do_sample: false` is greedy whatever the temperature;
every other key goes to transformers' `generate`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backends.generation_settings import LOGITS, NO_EFFECT, SAMPLING, UNSUPPORTED, unknown, unsupported

MAX_NEW_TOKENS = 256
"""lm-eval's default where a task names no limit."""
LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
"""Names of the limit of new tokens; where several are given the first of these counts."""
OWN = frozenset({*LIMITS, "max_length", "until", "do_sample"})
"""Keys that lm-eval reads itself; `max_length` is prompt and answer together."""
SUPPORTED = OWN | LOGITS | SAMPLING | NO_EFFECT | UNSUPPORTED.keys()
"""Every key that is run, those of `UNSUPPORTED` with the values that change nothing; any other is refused by name."""


def refusal(gen_kwargs: Any) -> str | None:
    """Why a generation with these `generation_kwargs` is not run, naming the keys; None where it is."""
    if not isinstance(gen_kwargs, Mapping):
        return f"its generation settings are no mapping: {gen_kwargs!r}"
    if foreign := unknown({key: value for key, value in gen_kwargs.items() if key not in OWN}):
        return f"it asks for {', '.join(foreign)} in generation, which transformers' generate does not know"
    if other := unsupported({**gen_kwargs, "do_sample": samples(gen_kwargs)}):
        return f"it asks for {', '.join(other)} in generation, which minizoo does not follow"
    wrong = [
        name for name, read in _READ.items() if gen_kwargs.get(name) is not None and not _reads(read, gen_kwargs[name])
    ]
    if wrong:
        return f"it gives {', '.join(f'{name}: {gen_kwargs[name]!r}' for name in wrong)} in generation, which is no such value"
    return None


def request_options(gen_kwargs: Mapping[str, Any], prompt: int) -> dict[str, Any]:
    """What a `GenerateRequest` needs beside its prompt of so many tokens, its stop strings and its seed.

    Keys that change no token are left out, and where decoding is greedy those of sampling.
    """
    kwargs = normalized(gen_kwargs)
    sampled = samples(gen_kwargs)
    limit = int(kwargs["max_length"]) - prompt if kwargs.get("max_length") is not None else kwargs["max_gen_toks"]
    passed = (LOGITS | UNSUPPORTED.keys() | (SAMPLING if sampled else frozenset[str]())) - {"temperature"}
    settings = {key: value for key, value in kwargs.items() if key in passed}
    top_p = settings.pop("top_p") if settings.get("top_p") is not None else None
    return {
        "max_new_tokens": limit,
        "temperature": float(kwargs["temperature"]) if sampled else 0.0,
        "top_p": None if top_p is None else float(top_p),
        "settings": settings,
    }


def stop_strings(gen_kwargs: Mapping[str, Any], eos: str | None) -> list[str]:
    """The stop strings of a generation: the task's own, and the end-of-text token's text."""
    from lm_eval.models.utils import handle_stop_sequences

    return handle_stop_sequences(normalized(gen_kwargs)["until"], eos=eos)


def normalized(gen_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """lm-eval's own reading of the keys; `until: null` is none, where its model would not run."""
    from lm_eval.models.utils import normalize_gen_kwargs

    known = {key: value for key, value in gen_kwargs.items() if value is not None or key not in _READ}
    return {**normalize_gen_kwargs(known, MAX_NEW_TOKENS)}


def new_tokens(gen_kwargs: Mapping[str, Any] | None) -> int:
    """Tokens that an answer may have at most, as a task's file says it."""
    return int(next((value for name in LIMITS if (value := (gen_kwargs or {}).get(name)) is not None), MAX_NEW_TOKENS))


def samples(gen_kwargs: Mapping[str, Any]) -> bool:
    """Whether tokens are drawn: `do_sample: true` at temperature 0 is greedy, as lm-eval's own warning has it."""
    return gen_kwargs.get("do_sample") is not False and _reads(_above_zero, gen_kwargs.get("temperature"))


def _reads(read: Any, value: Any) -> bool:
    try:
        return bool(read(value))
    except (TypeError, ValueError):
        return False


def _above_zero(value: Any) -> bool:
    return float(value) > 0


def _count(value: Any) -> bool:
    return int(value) == float(value) >= 1


def _texts(value: Any) -> bool:
    whole: Sequence[Any] = value if isinstance(value, list) else [value]
    return all(isinstance(text, str) for text in whole)


_READ = {
    **dict.fromkeys((*LIMITS, "max_length"), _count),
    "until": _texts,
    "do_sample": lambda value: isinstance(value, bool),
    "temperature": lambda value: float(value) >= 0,
}
"""Key → whether a value of it can be read; null is as if it were not given."""
