"""A server asked, before any task is: what it serves, how it takes a prompt, and whether its log-probabilities are right in
kind. A server that gives none answers zeros or exact chance, and nothing else would notice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backends.contract import Tokenizer
from backends.openai.client import Client, Refusal
from backends.openai.dialects import Dialect, is_known, to_try
from backends.openai.names import ServedModel, find_served
from backends.openai.rows import FORMS, NoRows, Row
from backends.openai.served import Completion, Server
from zoo.checkpoint.model_ref import ModelRef
from zoo.errors import ModelNotServed, ServerRefused

PROBE = "The quick brown fox jumps over the lazy dog. .god yzal eht revo spmuj xof nworb kciuq ehT 7 1 8 2 8"
"""Text with tokens that a model expects and tokens that it does not."""
PROBE_TOKENS = 48
"""Three blocks of a prefix cache, so that the second call of two alike meets it."""
NEW = 4
TOLERANCE = 0.25
"""Nats between two calls for the same log-probability: a prefix hit moves logits by about 0.06 in bf16, a row of another
token or of memory that nothing was written to by more."""
UNTAKEN = {400, 404, 405, 415, 422, 501}
"""Status codes of a request whose form a server does not take."""


@dataclass(frozen=True)
class Found:
    """What was found out about a server."""

    server: Server
    served: ServedModel
    gives_ids: bool
    """Whether it tells the ids of new tokens."""
    form: str | None
    """How rows of a prompt are asked for (`rows.FORMS`); None where it gives none that are right."""
    salted: bool
    """Whether each such request must be kept apart from the server's cache."""
    why_no_rows: str
    version: tuple[str, str]
    """What kind of server it is, and its version."""


def find_out(client: Client, ref: ModelRef, tokenizer: Tokenizer, vocabulary: int, length: int) -> Found:
    """Ask a server what it is. `length` is the checkpoint's context.

    Raises ModelNotServed, ServerRefused for one that takes no form of request, PromptChanged, and what `Client` raises.
    """
    served = find_served(_listing(client), ref, client.endpoint)
    probe = _probe_of(tokenizer, vocabulary, min(length, served.length or length))
    server, completion = _first_answer(client, served, tokenizer, probe)
    try:
        ids = completion.ids(vocabulary)
    except NoRows as reason:
        raise server.broken(f"is of another vocabulary: {reason}") from None
    form, salted, why = _rows_form(server, probe, ids, completion)
    return Found(server, served, ids is not None, form, salted, why, _version(client, server.dialect, served))


def _listing(client: Client) -> Mapping[str, Any] | None:
    try:
        return client.get("/v1/models")
    except Refusal as refusal:
        if client.endpoint.model is not None:
            return None
        raise ServerRefused(
            f"{client.endpoint.shown}/v1/models answers {refusal.status} ({refusal.said}).",
            "Check the address; a server without that list needs the model's name: --endpoint URL#NAME.",
        ) from None


def _probe_of(tokenizer: Tokenizer, vocabulary: int, length: int) -> list[int]:
    """As many tokens of the probe as the context has room for, all of the vocabulary, whose text is of them again."""
    tokens = [token for token in tokenizer.encode([PROBE], add_special_tokens=False)[0] if token < vocabulary]
    longest = max(2, min(PROBE_TOKENS, length - NEW - 2))
    for count in range(longest, longest // 2, -1):
        text = tokenizer.decode(tokens[:count], skip_special_tokens=False)
        if tokenizer.encode([text], add_special_tokens=False)[0] == tokens[:count]:
            return tokens[:count]
    return tokens[:longest]


def _first_answer(
    client: Client, served: ServedModel, tokenizer: Tokenizer, probe: Sequence[int]
) -> tuple[Server, Completion]:
    """The first form of request that the server takes, and its answer: its own dialect before OpenAI's, ids before text."""
    last: Refusal | None = None
    for dialect in to_try(served.owner):
        for takes_ids in (True, False):
            server = Server(client, served.id, dialect, tokenizer, takes_ids)
            endless = {dialect.endless: True} if dialect.endless else {}
            try:
                body = server.body(probe, NEW, temperature=0, logprobs=1, **endless)
                return server, server.complete(probe, body)
            except Refusal as refusal:
                if refusal.status not in UNTAKEN:
                    raise _refused(client, refusal) from None
                last = refusal
    assert last is not None
    if last.status == 404:
        raise ModelNotServed(
            f"{client.endpoint.shown} has no completions of {served.id} ({client.endpoint.redacted(last.said)}).",
            "Check the address and the name behind `#`.",
        )
    raise _refused(client, last)


def _refused(client: Client, refusal: Refusal) -> ServerRefused:
    return ServerRefused(
        f"{client.endpoint.shown} refuses a plain completion with {refusal.status} ({refusal.said}).",
        "Take a server of the completions API: `vllm serve`, `trtllm-serve`, SGLang, llama.cpp's.",
    )


def _rows_form(
    server: Server, probe: Sequence[int], ids: Sequence[int] | None, completion: Completion
) -> tuple[str | None, bool, str]:
    """The first form whose rows are right in kind, whether it must be salted, and else why none is."""
    if not server.takes_ids:
        return None, False, "it takes text and no token ids"
    if not ids:
        return None, False, "it does not tell the ids of new tokens, so no row could be checked"
    reasons: list[str] = []
    for form in FORMS:
        for salted in (False, True) if server.dialect.salt else (False,):
            try:
                _check_rows(server, [*probe, *ids], len(probe), form, salted, completion)
            except (NoRows, Refusal) as reason:
                said = f"refused: {reason.said}" if isinstance(reason, Refusal) else str(reason)
                reasons.append(f"by {form} {said}")
            else:
                return form, salted, ""
    return None, False, "; ".join(dict.fromkeys(reasons))


def _check_rows(
    server: Server, tokens: Sequence[int], start: int, form: str, salted: bool, completion: Completion
) -> None:
    """Raise NoRows unless the rows of a prompt with its greedy continuation are those of that continuation, twice."""
    first, _ = server.rows(tokens, form, salted)
    rows = _known(first)
    if len({row.logprob for row in rows}) == 1:
        raise NoRows(
            f"every token has the log-probability {rows[0].logprob:g}, so each choice would score exactly chance"
        )
    if all(row.best for row in rows):
        raise NoRows("every token is said to be the most probable one")
    told, new = _new_logprobs(completion), rows[start - 1 :]
    if sum(row.best for row in new) * 2 < len(
        new
    ):  # one may be second by a hair: a prompt is added up in another order
        raise NoRows("tokens that the server itself wrote are not the most probable of its rows")
    for place, (row, own) in enumerate(zip(new, told, strict=False), start):
        if abs(row.logprob - own) > TOLERANCE:
            raise NoRows(
                f"the token that the server wrote at place {place} has log p {own:.3f} as it is written and "
                f"{row.logprob:.3f} in a prompt"
            )
    again = _known(server.rows(tokens, form, salted)[0])
    apart = max(abs(one.logprob - other.logprob) for one, other in zip(rows, again, strict=True))
    if apart > TOLERANCE:
        raise NoRows(f"the same prompt asked twice differs by {apart:.2f} nats")


def _known(rows: Sequence[Row | None]) -> list[Row]:
    """Every row but the first token's, which has none; NoRows where one is no log-probability."""
    found = [row for row in rows if row is not None]
    if len(found) != len(rows) - 1 or not all(math.isfinite(row.logprob) and row.logprob <= 1e-3 for row in found):
        raise NoRows("rows that are no log-probabilities")
    return found


def _new_logprobs(completion: Completion) -> list[float]:
    """log p of the new tokens as they were written; empty where the server does not tell."""
    told = completion.choice.get("logprobs")
    values = told.get("token_logprobs") if isinstance(told, dict) else None
    return [float(value) for value in values or () if isinstance(value, int | float)]


def _version(client: Client, dialect: Dialect, served: ServedModel) -> tuple[str, str]:
    """What kind of server it is and its version, as far as it tells; never fails for want of one."""
    known = is_known(served.owner)
    name = dialect.name if known else "server"
    for path, keys in dialect.version:
        try:
            told = client.get(path)
        except Refusal:
            continue
        for key in keys:
            if isinstance(told.get(key), str):
                return name, told[key][:80]
    return name, "not told" if known else f"{served.owner[:80] or 'unknown'}, version not told"
