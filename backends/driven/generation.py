"""What an engine's decoding of text has in common with another's: the model's own settings, room, and where a text ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.contract import GenerateRequest, Generation, Tokenizer
from backends.generation_config import eos_ids
from zoo.errors import PromptTooLong, UnsupportedRequest, one_line


def file_config(folder: Path) -> Any:
    """generation_config.json over transformers' defaults, as transformers reads it for a model that it loads.

    Without the file what config.json says of generation counts. UnsupportedRequest where transformers cannot read either.
    """
    from transformers import AutoConfig, GenerationConfig

    try:
        if (folder / "generation_config.json").is_file():
            return GenerationConfig.from_pretrained(folder, local_files_only=True)
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return GenerationConfig.from_model_config(config)
    except Exception as error:  # transformers raises whatever its parser met
        raise UnsupportedRequest(
            f"transformers cannot read how {folder} generates ({one_line(error)[:160]}).",
            "Mend or remove its generation_config.json.",
        ) from None


class ModelDecoding(ABC):
    """How one model's requests are decoded by an engine; `of_call` says what it follows."""

    def __init__(self, config: Any, tokenizer: Tokenizer, max_length: int) -> None:
        """`config` is the model's own, of `file_config`."""
        self._config, self._tokenizer, self._max_length = config, tokenizer, max_length

    @abstractmethod
    def of_call(self, request: GenerateRequest) -> Any:
        """transformers' generation config of the request; UnsupportedRequest for a setting that is not followed."""

    def roomy(self, request: GenerateRequest) -> tuple[Any, int]:
        """The config of a request (`of_call`) and its new tokens at most.

        ValueError for an empty prompt or one that leaves no room, PromptTooLong where a `max_new_tokens` of
        generation_config.json, which counts before a request's own, does not fit.
        """
        if not request.prompt:
            raise ValueError("a generate request needs at least one token of prompt")
        if len(request.prompt) + request.max_new_tokens > self._max_length:
            raise ValueError(
                f"{len(request.prompt)} + {request.max_new_tokens} tokens do not fit into {self._max_length}"
            )
        config = self.of_call(request)
        limit = config.max_new_tokens or request.max_new_tokens
        if len(request.prompt) + limit > self._max_length:
            raise PromptTooLong(
                f"generation_config.json sets max_new_tokens to {limit}, which transformers puts before a task's own limit; "
                f"after a prompt of {len(request.prompt)} tokens they do not fit into a context of {self._max_length}.",
                "Take max_new_tokens out of generation_config.json: the tasks' own limits then hold.",
            )
        return config, limit

    def generation(self, request: GenerateRequest, made: Generation) -> Generation:
        """The contract's generation: the token that ended it is left out, unless it has a text of its own."""
        tokens = made.tokens
        ends = self.ends(self.of_call(request))
        if tokens and tokens[-1] in ends and not self._tokenizer.decode([tokens[-1]], skip_special_tokens=True):
            tokens = tokens[:-1]
        return replace(made, tokens=tokens)

    def ends(self, config: Any) -> set[int]:
        """The tokens that end a text: the config's and the tokenizer's own."""
        own = self._tokenizer.eos_id
        return eos_ids(config) | ({own} if own is not None else set[int]())


def neutral(value: Any, default: Any) -> bool:
    """Whether a setting acts on nothing: what transformers has where nobody sets it, or empty."""
    return value is None or value == default or (isinstance(value, Sequence) and not value)
