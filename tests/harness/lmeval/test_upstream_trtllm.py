"""lm-eval's own TensorRT-LLM model still reads each row one place late: its code is run on an answer of upstream's layout.

The day this fails, lm-eval has mended it: docs/engines.md and the catalogue of faults then say otherwise.
"""

from __future__ import annotations

from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest
from lm_eval.models import trtllm_causallms

OWN: Any = trtllm_causallms.TRTLLM


def answer(about: list[int], values: list[float]) -> Any:
    """One row a token of a prompt: row i has the token that stands at i + 1, the last the one that was generated."""
    rows = [{token: SimpleNamespace(logprob=value, rank=1)} for token, value in zip(about, values, strict=True)]
    return SimpleNamespace(outputs=[SimpleNamespace(prompt_logprobs=rows)])


def test_where_tokens_differ_it_looks_for_a_token_in_the_row_of_the_next():
    assert version("lm_eval") == "0.4.13"
    with pytest.raises(KeyError):
        OWN._parse_logprobs([3, 4, 5], answer([4, 5, 9], [-1.0, -2.0, -9.0]), 1)


def test_where_tokens_repeat_it_silently_adds_up_the_wrong_rows():
    told, _ = OWN._parse_logprobs([7, 7, 7], answer([7, 7, 7], [-1.0, -4.0, -0.5]), 1)
    right = -1.0 + -4.0
    assert told != right
