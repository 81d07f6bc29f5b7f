"""A server as it was found at opening, and the plain questions that are put to it: a completion, rows of a prompt."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backends.contract import Tokenizer
from backends.openai.client import Client
from backends.openai.dialects import Dialect
from backends.openai.rows import FORMS, NoRows, Row
from zoo.errors import PromptChanged, ServerFailing

PATH = "/v1/completions"


@dataclass(frozen=True)
class Completion:
    """One choice of an answer, checked: of this prompt, all of it read, ended in one of the two usual ways or not yet."""

    choice: Mapping[str, Any]
    usage: Mapping[str, Any]

    @property
    def cached(self) -> int:
        """Tokens of the prompt that the server did not compute, where it tells."""
        details = self.usage.get("prompt_tokens_details")
        found = details.get("cached_tokens") if isinstance(details, dict) else None
        return found if isinstance(found, int) else 0

    def ids(self, vocabulary: int) -> tuple[int, ...] | None:
        """Token ids of the new text; None where the server does not give them. ServerFailing for ids that there are not."""
        found = self.choice.get("token_ids")
        return None if found is None else checked_ids(found, vocabulary)


@dataclass(frozen=True)
class Server:
    """How one server is asked for one model."""

    client: Client
    model: str
    """The name that it knows the model by."""
    dialect: Dialect
    tokenizer: Tokenizer
    takes_ids: bool
    """Whether a prompt may be token ids; else it is their text, where that becomes the same ids again."""

    def fresh(self) -> Server:
        """The same server on connections of its own."""
        return replace(self, client=self.client.fresh())

    def body(self, tokens: Sequence[int], new: int, **fields: Any) -> dict[str, Any]:
        """The body of a request for at most `new` tokens behind these. PromptChanged where their text is of other tokens."""
        prompt = list(tokens) if self.takes_ids else self.text_of(tokens)
        return {"model": self.model, "prompt": prompt, "max_tokens": new, **self.dialect.always, **fields}

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text that the tokenizer makes these very tokens of."""
        text = self.tokenizer.decode(tokens, skip_special_tokens=False)
        if list(self.tokenizer.encode([text], add_special_tokens=False)[0]) != list(tokens):
            raise PromptChanged(
                f"{self.client.endpoint.shown} takes text and no token ids, and the text of a prompt becomes other tokens.",
                "Take a server that accepts token ids (`vllm serve`).",
            )
        return text

    def complete(self, tokens: Sequence[int], body: Mapping[str, Any]) -> Completion:
        """Ask for a completion of these tokens. PromptChanged where the server read another number of them."""
        answer = self.client.post(PATH, body)
        usage = self.check_prompt(tokens, answer.get("usage"))
        choices = answer.get("choices")
        if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
            raise self.broken("has not one choice")
        return Completion(choices[0], usage)

    def check_prompt(self, tokens: Sequence[int], usage: Any) -> Mapping[str, Any]:
        """The usage that an answer tells; PromptChanged unless as many tokens were read as were sent."""
        told: Mapping[str, Any] = usage if isinstance(usage, dict) else {}
        read = told.get("prompt_tokens")
        if read == len(tokens):
            return told
        shown = self.client.endpoint.shown
        if not isinstance(read, int):
            raise PromptChanged(
                f"{shown} does not say how many tokens of a prompt it read (`usage.prompt_tokens`).",
                "What it cut or added could not be seen, so nothing is measured by it.",
            )
        did = "adds tokens to it, most likely one that begins a text" if read > len(tokens) else "cuts it"
        raise PromptChanged(
            f"{shown} read {read:,} tokens of a prompt of {len(tokens):,}: it {did}.",
            "Serve the model without that (no added BOS, no truncation): other prompts have other scores.",
        )

    def rows(self, tokens: Sequence[int], form: str, salted: bool) -> tuple[list[Row | None], int]:
        """log p of each token of a prompt behind those before it, and how many tokens came from the server's cache.

        `salted` keeps the request apart from all that is cached. Raises NoRows where the answer has none of this prompt.
        """
        fields, read = FORMS[form]
        salt = {self.dialect.salt: secrets.token_urlsafe(24)} if salted and self.dialect.salt else {}
        completion = self.complete(tokens, self.body(tokens, 1, temperature=0, **fields, **salt))
        return read(completion.choice, tokens), completion.cached

    def broken(self, how: str) -> ServerFailing:
        """The error for an answer that is JSON and no completion."""
        return ServerFailing(
            f"An answer of {self.client.endpoint.shown} {how}, so it was not used.",
            "Look at the server's log; what was answered before is kept.",
        )


def checked_ids(found: Any, vocabulary: int) -> tuple[int, ...]:
    """Token ids of an answer; NoRows where it holds something else."""
    if not isinstance(found, list) or not all(type(each) is int and 0 <= each < vocabulary for each in found):
        raise NoRows(f"its token ids are not all among the {vocabulary:,} of the vocabulary")
    return tuple(found)
