"""From texts to token ids, with the same ids as lm-eval's own Hugging Face model makes, each text encoded once.

The rules are those of `lm_eval.api.model.TemplateLM` and `lm_eval.models.huggingface.HFLM` 0.4.13 at batch size 1 (read there:
trailing spaces of a context move to the continuation; the continuation is what `enc(context + continuation)` has beyond
`enc(context)`; an empty context is the prefix token; a text that begins with BOS gets no second).
"""

from __future__ import annotations

from collections.abc import Sequence

from backends.contract import Tokenizer, Tokens
from zoo.errors import PromptImpossible


def special_tokens(text: str, said: bool | None, add_bos: bool | None, start: str | None) -> bool | None:
    """Whether special tokens are put around a text; None leaves it to the tokenizer.

    What the call says (`said`) counts first, then that a text which begins with `start` has them, then `add_bos_token`.
    """
    if said is None and start is not None and text.startswith(start):
        return False
    return add_bos if said is None else said


class TokenRules:
    """Token ids of texts for one tokenizer. `prefix` is the token that an empty context stands for, by default BOS, else EOS;
    `add_bos` is lm-eval's `add_bos_token`, by default the tokenizer's own rule."""

    def __init__(self, tokenizer: Tokenizer, prefix: int | None = None, add_bos: bool | None = None) -> None:
        self._tokenizer = tokenizer
        self._add_bos = add_bos
        own = tokenizer.bos_id if tokenizer.bos_id is not None else tokenizer.eos_id
        self.prefix = own if prefix is None else prefix
        self.eos_text = self._text(tokenizer.eos_id)
        self._bos_text = self._text(tokenizer.bos_id)
        self._prefix_text = self._text(self.prefix)

    def scored(self, texts: Sequence[str]) -> list[Tokens]:
        """Of texts that are scored: one that begins with the prefix token's text has its special tokens."""
        return self._encode(texts, None, self._prefix_text)

    def prompts(self, texts: Sequence[str]) -> list[Tokens]:
        """Of prompts that are continued: HFLM looks for BOS alone here."""
        return self._encode(texts, None, self._bos_text)

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[Tokens, Tokens]]:
        """Of contexts and their continuations."""
        shifted = [_shift_spaces(context, continuation) for context, continuation in pairs if context]
        contexts = self.scored([context for context, _ in shifted])
        wholes = self.scored([context + continuation for context, continuation in shifted])
        bare = self._encode([continuation for context, continuation in pairs if not context], False)
        full, alone = iter(zip(contexts, wholes, strict=True)), iter(bare)
        result: list[tuple[Tokens, Tokens]] = []
        for context, _ in pairs:
            head, whole = next(full) if context else ((), next(alone))
            # Spaces alone, too, are an empty context where the tokenizer puts nothing before a text.
            result.append((head, whole[len(head) :]) if head else self._after_prefix(whole))
        return result

    def needed_prefix(self, task: str) -> int:
        """The prefix; PromptImpossible for a tokenizer that has none."""
        if self.prefix is None:
            raise PromptImpossible(
                f"Task {task} needs a first token to condition on, and the tokenizer has neither BOS nor EOS.",
                "Name one in tokenizer_config.json.",
            )
        return self.prefix

    def _after_prefix(self, continuation: Tokens) -> tuple[Tokens, Tokens]:
        prefix = self.needed_prefix("with an empty context")
        return (continuation[:1], continuation[1:]) if continuation[:1] == (prefix,) else ((prefix,), continuation)

    def _encode(self, texts: Sequence[str], special: bool | None, start: str | None = None) -> list[Tokens]:
        rule = {text: special_tokens(text, special, self._add_bos, start) for text in dict.fromkeys(texts)}
        known: dict[str, Tokens] = {}
        for flag in (None, False, True):
            group = [text for text, wanted in rule.items() if wanted is flag]
            known.update(zip(group, map(tuple, self._tokenizer.encode(group, flag)), strict=True))
        return [known[text] for text in texts]

    def _text(self, token: int | None) -> str | None:
        return None if token is None else self._tokenizer.decode([token], skip_special_tokens=False)


def _shift_spaces(context: str, continuation: str) -> tuple[str, str]:
    bare = context.rstrip()
    return bare, context[len(bare) :] + continuation
