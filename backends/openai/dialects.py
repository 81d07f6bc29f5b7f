"""What servers of the completions API take beyond OpenAI's own fields, as data. What one does is found out by asking it
(`opening`); its name only says what to try first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Dialect:
    """The fields of one kind of server, by its source code."""

    name: str
    always: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of every request: ids back, nothing added to a prompt of text."""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """transformers' name of a generation setting → the server's, where both mean the same."""
    off: Mapping[str, float] = field(default_factory=dict[str, float])
    """Settings whose value that changes nothing is another than transformers'."""
    ends: str | None = None
    """The field of further token ids that end a text."""
    endless: str | None = None
    """The field that lets a text go on past its end: what speed is measured with."""
    salt: str | None = None
    """The field that keeps a request apart from what the server has cached."""
    version: tuple[tuple[str, tuple[str, ...]], ...] = field(default=(("/version", ("version",)),))
    """Paths that may tell the server's version, and under which names."""


SAMPLING = {"top_k": "top_k", "min_p": "min_p"}
LIKE_VLLM = {**SAMPLING, "repetition_penalty": "repetition_penalty", "min_new_tokens": "min_tokens"}

DIALECTS: Mapping[str, Dialect] = {
    # vllm/entrypoints/openai/completion/protocol.py: CompletionRequest; unknown fields are passed over.
    "vllm": Dialect(
        "vllm",
        always={"return_token_ids": True, "add_special_tokens": False},
        settings=LIKE_VLLM,
        ends="stop_token_ids",
        endless="ignore_eos",
        salt="cache_salt",
    ),
    # sglang/srt/entrypoints/openai/protocol.py: no add_special_tokens; token ids since return_token_ids came.
    "sglang": Dialect(
        "sglang",
        always={"return_token_ids": True},
        settings=LIKE_VLLM,
        off={"top_k": -1},
        ends="stop_token_ids",
        endless="ignore_eos",
        salt="cache_salt",
        version=(("/server_info", ("version",)), ("/get_server_info", ("version",))),
    ),
    # tensorrt_llm/serve/openai_protocol.py: a field that it does not know is an error; no ids beside the text.
    "tensorrt_llm": Dialect(
        "tensorrt_llm",
        always={"add_special_tokens": False},
        settings=LIKE_VLLM,
        ends="stop_token_ids",
        endless="ignore_eos",
    ),
    # llama.cpp tools/server: its repeat_penalty looks at the last tokens alone, so it is not transformers'.
    "llamacpp": Dialect(
        "llamacpp", settings=SAMPLING, endless="ignore_eos", version=(("/props", ("build_info",)),)
    ),
}  # fmt: skip
PLAIN = Dialect("openai")
"""OpenAI's own fields and nothing else."""


def to_try(owner: str) -> list[Dialect]:
    """Dialects in the order in which they are tried with a server that says whose its models are (`owned_by`).

    A proxy may stand before any of them, so what is unknown is asked as vLLM first: most pass over fields of others.
    """
    named = DIALECTS.get(_plain(owner))
    tried = [named] if named else [DIALECTS["vllm"], DIALECTS["tensorrt_llm"]]
    return [*tried, PLAIN]


def is_known(owner: str) -> bool:
    """Whether a server of that `owned_by` has a dialect of its own."""
    return _plain(owner) in DIALECTS


def _plain(owner: str) -> str:
    return owner.lower().replace("-", "_").replace(".", "")
