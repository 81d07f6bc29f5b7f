"""What lm-eval and other people's code ask of a model's texts, token ids and chat, by the names of HFLM 0.4.13.

Each works as HFLM's own does, also taken from the class and bound to another object that has the attributes it reads.
"""

from __future__ import annotations

import logging
from abc import ABC
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import DEFAULT_MAX_LENGTH, resolve_max_length
from lm_eval.utils import warning_once

from backends.tokenizer import chat_text
from harness.lmeval.loading.generation import MAX_NEW_TOKENS
from harness.lmeval.token_rules import special_tokens

log = logging.getLogger(__name__)


class TextSide(TemplateLM, ABC):
    """The side of a model that needs no weights: its tokenizer, its chat template, and the lengths that it states."""

    backend = "causal"
    """lm-eval's word for a decoder-only model."""
    tokenizer: Any
    add_bos_token: bool | None
    custom_prefix_token_id: int | None
    chat_template_args: Mapping[str, Any]
    batch_size_per_gpu: int | str
    model: Any
    _max_length: int | None
    _DEFAULT_MAX_LENGTH = DEFAULT_MAX_LENGTH

    @property
    def eot_token_id(self) -> int:
        """The token that ends a text."""
        return self.tokenizer.eos_token_id

    @property
    def prefix_token_id(self) -> Any:
        """The token that an empty context stands for; None where the tokenizer has neither BOS nor EOS."""
        if self.custom_prefix_token_id is not None:
            return self.custom_prefix_token_id
        return self.tokenizer.eos_token_id if self.tokenizer.bos_token_id is None else self.tokenizer.bos_token_id

    @property
    def max_length(self) -> int:
        """Tokens of the context, or fewer where the argument says so."""
        if self._max_length:
            return self._max_length
        return resolve_max_length(self.model.config, self.tokenizer, default=self._DEFAULT_MAX_LENGTH)

    @property
    def max_gen_toks(self) -> int:
        """New tokens of a generation that names no limit."""
        return MAX_NEW_TOKENS

    @property
    def batch_size(self) -> int | str:
        """As it was given; requests are packed by tokens instead."""
        return self.batch_size_per_gpu

    @property
    def tokenizer_name(self) -> str:
        """The tokenizer in the fingerprint of lm-eval's cache of requests."""
        return self.tokenizer.name_or_path.replace("/", "__")

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, left_truncate_len: int | None = None, **_: Any
    ) -> list[int]:
        """Token ids of a text, by the rule of `TokenRules`; at most `left_truncate_len`, the last ones."""
        start = None if self.prefix_token_id is None else self.tokenizer.decode(self.prefix_token_id)
        special = special_tokens(string, add_special_tokens, self.add_bos_token, start)
        encoded: list[int] = self.tokenizer.encode(string, **_told(special))
        return encoded[-left_truncate_len:] if left_truncate_len else encoded

    def tok_batch_encode(
        self,
        strings: Sequence[str],
        padding_side: str = "left",
        left_truncate_len: int | None = None,
        truncation: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids of a padded batch, and its attention mask. As in HFLM the first text decides for all."""
        start = getattr(self.tokenizer, "bos_token", None)
        special = special_tokens(strings[0], None, self.add_bos_token, start) if self.backend == "causal" else None
        before, self.tokenizer.padding_side = self.tokenizer.padding_side, padding_side
        try:
            encoded = self.tokenizer(
                list(strings), truncation=truncation, padding="longest", return_tensors="pt", **_told(special)
            )
        finally:
            self.tokenizer.padding_side = before
        kept = slice(-left_truncate_len if left_truncate_len else None, None)
        return encoded["input_ids"][:, kept], encoded["attention_mask"][:, kept]

    def tok_decode(self, tokens: Any, skip_special_tokens: bool = True) -> str:
        """The text of token ids."""
        return self.tokenizer.decode(tokens, skip_special_tokens=skip_special_tokens)

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """A conversation as the model was tuned for; ChatTemplateMissing where there is no template, or it does not take it.

        A system turn that the template refuses is left out, as in HFLM, and that is said once.
        """
        return chat_text(self.tokenizer, chat_history, add_generation_prompt, self.chat_template_args, _say_left_out)


def _told(special: bool | None) -> dict[str, bool]:
    return {} if special is None else {"add_special_tokens": special}


def _say_left_out(reason: str) -> None:
    warning_once(log, f"The chat template refuses the system turn, which is left out of every prompt ({reason}).")
