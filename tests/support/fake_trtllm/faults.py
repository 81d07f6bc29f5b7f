"""What the fake engine does wrong, by name: each changes one thing of what it computes or tells."""

from __future__ import annotations

import threading
from typing import Any

import torch

from support.fake_trtllm.engine import BLOCK, row_of


class Fault:
    """An engine without one."""

    def opening(self, llm: Any) -> None:
        """While the engine is opened."""

    def closing(self, llm: Any) -> None:
        """While it is shut down."""

    def prompt(self, tokens: list[int]) -> list[int]:
        """What is computed of a prompt."""
        return tokens

    def rows(self, llm: Any, output: Any, out: Any) -> None:
        """What is told of a prompt."""

    def outputs(self, made: list[Any]) -> list[Any]:
        """The answers of a call."""
        return made

    def new_logits(self, logits: Any) -> Any:
        """What a new token is chosen from."""
        return logits

    def step(self, output: Any, out: Any) -> None:
        """What a stream says of a new token."""


class RowsOfTheirToken(Fault):
    """Row i is of token i, with nothing before the first: vLLM's layout, and what lm-eval's own model expects."""

    def rows(self, llm: Any, output: Any, out: Any) -> None:
        out.prompt_logprobs = [None, *out.prompt_logprobs[:-1]] if out.prompt_logprobs else []


class RowsOneLate(Fault):
    """Every row is one late, and holds the token that its reader looks for with another row's probability."""

    def rows(self, llm: Any, output: Any, out: Any) -> None:
        if not out.prompt_logprobs:
            return
        tokens = output.prompt_token_ids
        logps = torch.log_softmax(llm.numbers(tuple(tokens)), -1)
        about = [*tokens[1:], out.token_ids[0]]
        out.prompt_logprobs = [row_of(logps[max(0, at - 1)], 1, token) for at, token in enumerate(about)]


class ReuseDropsRows(Fault):
    """Block reuse acts although it is off: rows that the cache gave are missing."""

    def rows(self, llm: Any, output: Any, out: Any) -> None:
        out.prompt_logprobs = out.prompt_logprobs[BLOCK:] if len(out.prompt_logprobs) > BLOCK else out.prompt_logprobs


class ReuseKeepsStaleRows(Fault):
    """Rows that the cache gave are as many as there should be, and of whatever stood there: another prompt's values."""

    def __init__(self) -> None:
        self.seen: set[tuple[int, ...]] = set()

    def rows(self, llm: Any, output: Any, out: Any) -> None:
        tokens = tuple(output.prompt_token_ids)
        known = next((n for n in range(len(tokens) - 1, 3, -1) if tokens[:n] in self.seen), 0)
        self.seen |= {tokens[:n] for n in range(4, len(tokens) + 1)}
        for row in out.prompt_logprobs[:known]:
            for one in row.values():
                one.logprob -= 0.7


class CutsPrompts(Fault):
    """Prompts longer than 24 tokens lose their beginning, as `max_input_len` of other releases did."""

    def prompt(self, tokens: list[int]) -> list[int]:
        return tokens[-24:]


class CutsPromptsUnsaid(CutsPrompts):
    """The same, and the answer says that all was computed, with as many rows."""

    def rows(self, llm: Any, output: Any, out: Any) -> None:
        whole = llm.asked[-1][0]
        if len(whole) > len(output.prompt_token_ids):
            missing = len(whole) - len(output.prompt_token_ids)
            first = [row_of(torch.full((768,), -5.0), 1, token) for token in whole[1 : missing + 1]]
            out.prompt_logprobs = [*first, *out.prompt_logprobs] if out.prompt_logprobs else []
            output.prompt_token_ids = list(whole)


class LacksTokens(Fault):
    """Rows have the most probable token alone, as 1.2 has them."""

    def rows(self, llm: Any, output: Any, out: Any) -> None:
        kept = [dict([min(row.items(), key=lambda one: one[1].rank)]) for row in out.prompt_logprobs]
        out.prompt_logprobs = [*kept[:-1], *out.prompt_logprobs[-1:]]


class LogitsOfBefore(Fault):
    """The logits of the new token are those of the position before."""

    def rows(self, llm: Any, output: Any, out: Any) -> None:
        tokens = tuple(output.prompt_token_ids)
        out.generation_logits = llm.numbers(tokens)[-2:-1].clone() if len(tokens) > 1 else out.generation_logits


class NoLogits(Fault):
    """Logits that were asked are not given."""

    def rows(self, llm: Any, output: Any, out: Any) -> None:
        out.generation_logits = None


class Swapped(Fault):
    """Two answers of a call are swapped."""

    def outputs(self, made: list[Any]) -> list[Any]:
        return made[::-1]


class Lost(Fault):
    """The last answer of a call with several is lost."""

    def outputs(self, made: list[Any]) -> list[Any]:
        return made[:-1] if len(made) > 1 else made


class Warm(Fault):
    """Logits come as if by a temperature of their own: all rows are a little flatter."""

    def rows(self, llm: Any, output: Any, out: Any) -> None:
        logits = llm.numbers(tuple(output.prompt_token_ids)) / 1.05
        logps, about = torch.log_softmax(logits, -1), [*output.prompt_token_ids[1:], out.token_ids[0]]
        out.generation_logits = logits[-1:]
        if out.prompt_logprobs:
            out.prompt_logprobs = [row_of(row, 1, token) for row, token in zip(logps, about, strict=True)]


class SecondBest(Fault):
    """Greedy text takes the second most probable token."""

    def new_logits(self, logits: Any) -> Any:
        bent = logits.clone()
        bent[int(bent.argmax())] = float("-inf")
        return bent


class EndsEarly(Fault):
    """A text ends by itself after its first token, whatever was asked."""

    def step(self, output: Any, out: Any) -> None:
        output.finished = len(out.token_ids) >= 3 or output.finished


class SaysAgain(Fault):
    """Each piece of a stream holds all tokens so far, and the row of the newest alone."""

    def step(self, output: Any, out: Any) -> None:
        out.seen = 0
        out.logprobs = out.logprobs[-1:]


class SkipsTokens(Fault):
    """A stream leaves its third token out."""

    def step(self, output: Any, out: Any) -> None:
        out.seen += len(out.token_ids) == 3


class LeavesThread(Fault):
    """Shutting down leaves a thread behind."""

    def closing(self, llm: Any) -> None:
        self.over = threading.Event()
        threading.Thread(target=self.over.wait, daemon=True).start()


class OutOfMemory(Fault):
    """The engine finds no room for its cache while it is opened."""

    def opening(self, llm: Any) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 9.31 GiB.")
