"""A checkpoint's tokenizer, as the contract's `Tokenizer`, with its chat template."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backends.tokenizer_rules import Disagreement, by_file
from zoo.errors import ChatTemplateMissing, TokenizerUnreadable, one_line


class HfTokenizer:
    """A transformers tokenizer read from a folder; no code of the checkpoint's is run. TokenizerUnreadable where it cannot be.

    Text is cut by the rules of the folder's tokenizer.json where it has one; where the class that transformers makes of the
    folder has other rules, `rules` (for the record) and `note` (for the user) say so, else they are None. `chat_template` is
    the text of its chat template (`default` where it has several), None where it has none. `inner` is transformers' own object.
    """

    def __init__(self, folder: Path, add_bos_token: bool | None = None) -> None:
        """`add_bos_token` is told to transformers; None leaves it to the folder's tokenizer_config.json."""
        from transformers import AutoTokenizer

        told = {} if add_bos_token is None else {"add_bos_token": add_bos_token}
        try:
            loaded: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **told)
        except Exception as error:  # transformers raises whatever its parser met
            raise TokenizerUnreadable(
                f"{folder} has no tokenizer that transformers can read ({one_line(error)[:160] or type(error).__name__}).",
                "Put tokenizer.json and tokenizer_config.json beside config.json.",
            ) from None
        self._take(*by_file(loaded, folder))

    @classmethod
    def of(cls, loaded: Any) -> HfTokenizer:
        """A tokenizer that a program has made with transformers, as it is."""
        made = cls.__new__(cls)
        made._take(loaded, None)
        return made

    def _take(self, loaded: Any, disagreement: Disagreement | None) -> None:
        self.inner = loaded
        self.rules = disagreement.rules if disagreement else None
        self.note = disagreement.note if disagreement else None
        self.bos_id: int | None = loaded.bos_token_id
        self.eos_id: int | None = loaded.eos_token_id
        self.vocab_size = len(loaded)
        self.chat_template = _template_of(loaded)

    def encode(self, texts: Sequence[str], add_special_tokens: bool | None = None) -> list[list[int]]:
        """Token ids of each text; None leaves special tokens to the tokenizer's own rule."""
        if not texts:
            return []
        options = {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}
        return self.inner(list(texts), return_attention_mask=False, verbose=False, **options)["input_ids"]

    def decode(self, tokens: Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text of the token ids."""
        return self.inner.decode(list(tokens), skip_special_tokens=skip_special_tokens)

    def chat(self, messages: Sequence[Mapping[str, str]], add_generation_prompt: bool = True) -> str:
        """The text of a conversation as the model was tuned for; without a prompt for an answer the last turn stays open.

        A template that refuses a system turn gets the others only, as in lm-eval. ChatTemplateMissing where it refuses those.
        """
        return chat_text(self.inner, messages, add_generation_prompt, {})


def chat_text(
    tokenizer: Any,
    messages: Sequence[Mapping[str, str]],
    add_generation_prompt: bool,
    arguments: Mapping[str, Any],
    left_out: Callable[[str], None] | None = None,
) -> str:
    """The text of a conversation by the template of transformers' `tokenizer`, with further `arguments` of the template.

    As `HfTokenizer.chat`; `left_out` is told why a system turn was. ChatTemplateMissing also where there is no template.
    """
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        raise ChatTemplateMissing(
            "The tokenizer has no chat template: the model is not tuned for turns.",
            "Take an instruct model, or plain prompts.",
        )
    others = [message for message in messages if message["role"] != "system"]
    refusal: Exception | None = None
    for turns in (messages, others):
        try:
            text = tokenizer.apply_chat_template(
                list(turns),
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
                **arguments,
            )
        except TemplateError as error:
            refusal = error
            continue
        except ValueError as error:  # transformers' own word, whatever the turns
            refusal = error
            break
        if refusal is not None and left_out is not None:
            left_out(one_line(refusal))
        return text
    raise ChatTemplateMissing(
        f"The chat template does not take these turns ({one_line(refusal or ValueError())}).",
        "Take a suite without `chat: true`, or plain prompts.",
    )


def _template_of(tokenizer: Any) -> str | None:
    template = tokenizer.chat_template
    return template.get("default") if isinstance(template, dict) else template
