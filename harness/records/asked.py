"""What a document's requests say, for people who look at an answer: the prompt, and the texts that were to choose from."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

Arguments = Sequence[Any]
"""A request's, as lm-eval has them: the context, then a continuation or how to generate; of a rolling one the text alone."""


def asked(requests: Sequence[Arguments]) -> dict[str, str | None]:
    """The columns `prompt` and `choices` of a document with these requests, in lm-eval's order."""
    choices = _choices([request for request in requests if _is_scored(request)])
    return {
        "prompt": str(requests[0][0]) if requests else None,
        "choices": json.dumps(choices, ensure_ascii=False) if choices else None,
    }


def _choices(requests: Sequence[Arguments]) -> list[str]:
    """The endings of requests that share the first one's context; where contexts differ and endings do not (Winogrande), what
    the contexts end with. Empty where nothing was to choose from."""
    contexts = [str(request[0]) for request in requests]
    same = [str(request[1]) for request in requests if request[0] == requests[0][0]]
    if len(same) > 1:
        return same  # a task that also asks without a context has those requests after them
    if len(requests) < 2 or len({request[1] for request in requests}) > 1:
        return []
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*contexts, strict=False))
    common = "".join(letters[0] for letters in alike)
    begin = max(common.rfind(blank) for blank in " \n\t") + 1
    return [context[begin:] for context in contexts]


def _is_scored(request: Arguments) -> bool:
    return len(request) > 1 and isinstance(request[1], str)
