"""Generations of a server as the contract has them: ids behind the prompt, the token that ends a text left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from backends.contract import GenerateRequest, Generation
from backends.openai.opening import Found
from backends.openai.rows import NoRows
from backends.openai.scoring import check_tokens
from backends.openai.served import Server
from backends.openai.settings import fields_of, limit_of
from zoo.errors import ServedTooLong

FINISHED = {"length": "length", "stop": "stop", "eos": "stop", "end_of_text": "stop"}
"""A server's word for why a text ended → the contract's."""


class Generating:
    """How one server generates; `file` is the checkpoint's generation_config.json, `ends` the ids that end a text."""

    def __init__(
        self, found: Found, vocabulary: int, length: int, file: Mapping[str, Any], ends: Collection[int]
    ) -> None:
        self._server, self._vocabulary, self._length = found.server, vocabulary, length
        self._file, self._ends = file, ends

    def bodies(self, requests: Sequence[GenerateRequest]) -> list[Mapping[str, Any]]:
        """What is sent for each; raises for whatever of them cannot be asked, before anything is."""
        return [self._body(request) for request in requests]

    def answer(
        self, server: Server, requests: Sequence[GenerateRequest], bodies: Sequence[Mapping[str, Any]], index: int
    ) -> Generation:
        """The generation of one request by a server."""
        prompt, new = requests[index].prompt, bodies[index]["max_tokens"]
        completion = server.complete(prompt, bodies[index])
        finish = FINISHED.get(str(completion.choice.get("finish_reason")))
        if finish is None:
            raise server.broken(f"ended for no reason of its own ({completion.choice.get('finish_reason')!r})")
        try:
            tokens = completion.ids(self._vocabulary)
        except NoRows as reason:
            raise server.broken(f"is of another vocabulary: {reason}") from None
        if tokens is None:
            text = completion.choice.get("text")
            if not isinstance(text, str):
                raise server.broken("has no text")
            tokens = tuple(server.tokenizer.encode([text], add_special_tokens=False)[0]) if text else ()
        elif len(tokens) > new or (finish == "length" and len(tokens) != new):
            raise server.broken(f"has {len(tokens):,} new tokens of {new:,} and ended by its length")
        return Generation(index, self._without_end(tokens), "length" if finish == "length" else "stop")

    def _without_end(self, tokens: tuple[int, ...]) -> tuple[int, ...]:
        """The token that ended a text is left out, unless it has a text of its own."""
        ended = bool(tokens) and tokens[-1] in self._ends
        if ended and not self._server.tokenizer.decode(tokens[-1:], skip_special_tokens=True):
            return tokens[:-1]
        return tokens

    def _body(self, request: GenerateRequest) -> Mapping[str, Any]:
        if not request.prompt:
            raise ValueError("a generate request needs at least one token of prompt")
        check_tokens(request.prompt, self._vocabulary)
        new, dialect = limit_of(request, self._file), self._server.dialect
        if len(request.prompt) + new > self._length:
            raise ServedTooLong(
                f"A prompt of {len(request.prompt):,} tokens and {new:,} new ones do not fit into the context of "
                f"{self._length:,} with which the server runs the model.",
                "Serve it with its whole context (`vllm serve --max-model-len`).",
            )
        fields = fields_of(request, self._file, dialect)
        if stop := [each for each in request.stop if each]:
            fields["stop"] = stop
        if dialect.ends and self._ends:
            fields[dialect.ends] = sorted(self._ends)
        return self._server.body(request.prompt, new, **fields)
