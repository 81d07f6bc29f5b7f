"""The checkpoint's tokenizer behind the small face that the harness needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.errors import UsageError


class HfTokenizer:
    """A transformers tokenizer read from a folder; no code of the checkpoint's is run."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer
        from transformers.utils import logging

        logging.set_verbosity_error()
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # transformers raises whatever its parser met
            raise UsageError(
                f"{folder} has no tokenizer that transformers can read ({str(error).splitlines()[0][:160]}).",
                "Put tokenizer.json and tokenizer_config.json beside config.json.",
            ) from None
        self.bos_id: int | None = self._tokenizer.bos_token_id
        self.eos_id: int | None = self._tokenizer.eos_token_id
        self.vocab_size = len(self._tokenizer)

    def encode(self, texts: Sequence[str], add_special_tokens: bool | None = None) -> list[list[int]]:
        """Token ids of each text; None leaves special tokens to the tokenizer's own rule."""
        if not texts:
            return []
        options = {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}
        return self._tokenizer(list(texts), return_attention_mask=False, verbose=False, **options)["input_ids"]

    def decode(self, tokens: Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text of the token ids."""
        return self._tokenizer.decode(list(tokens), skip_special_tokens=skip_special_tokens)
