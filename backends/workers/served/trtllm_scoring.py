"""Scores by TensorRT-LLM: one request of the engine a prompt, every row checked. Runs in its interpreter.

A sequence without its last token is a prompt. The engine's row i is the distribution behind token i, so it has token i + 1;
the row behind the last is of the token that it generates (`_compute_pytorch_prompt_logprobs` of `executor/base_worker.py`,
1.3.0rc11 and later; `test_sampled_token_always_in_prompt_logprobs` of upstream's
`tests/unittest/_torch/sampler/test_logits_logprobs.py`).
What stands inside the prompt is read from the rows; last tokens from the logits of the one token that is generated, so that
choices of one token each are one request together, for which no row of the prompt is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vllm_asked import Asked, answer_of, asked_prompts
from wire import Refused

SAME_ROW = 0.25
"""Nats that the last row and the logits of the generated token may be apart: they are of one position, by kernels of two
shapes. A layout that is shifted is apart by more wherever neighbouring tokens are not about as probable."""


@dataclass
class Counts:
    """What scoring did since the engine was opened."""

    prompts: int = 0
    tokens: int = 0
    with_rows: int = 0

    @property
    def told(self) -> str:
        """The counts as a sentence."""
        return (
            f"scored: {self.prompts:,} prompts, {self.tokens:,} tokens; rows of {self.with_rows:,} prompts were asked"
        )


class Scoring:
    """Asks an engine for scores, as many prompts at a time as their logits have room."""

    def __init__(
        self, llm: Any, sampling_params: Callable[..., Any], vocabulary: int, rows: int, at_once: int, reuse: bool
    ) -> None:
        """`rows`: of logits that fit at once; `reuse`: the engine was opened with its prefix cache, so no row may be asked."""
        self._llm, self._params, self._vocabulary = llm, sampling_params, vocabulary
        self._rows, self._at_once, self._reuse = rows, at_once, reuse
        self.counts = Counts()

    def scores(self, requests: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield each request's answer."""
        prompts = asked_prompts(requests)
        for asked in prompts:
            self._check(asked)
        for group in self._groups(prompts):
            params = [self._params_of(asked) for asked in group]
            outputs = self._llm.generate([list(asked.tokens) for asked in group], params, use_tqdm=False)
            if len(outputs) != len(group):
                raise Refused("engine", f"TensorRT-LLM answered {len(outputs)} of {len(group)} prompts")
            for asked, output in zip(group, outputs, strict=True):
                yield from self._answers(asked, output)

    def _check(self, asked: Asked) -> None:
        if asked.first is None:
            return
        if self._reuse:
            raise Refused(
                "unsupported",
                "with block reuse TensorRT-LLM leaves out the rows of a prompt that its cache had, so endings of more than one "
                "token are scored without it: open the backend with enable_block_reuse off",
            )
        if len(asked.tokens) > self._rows:
            raise Refused(
                "memory",
                f"the logits of a prompt of {len(asked.tokens)} tokens are out of memory: {self._rows} rows of "
                f"{self._vocabulary} fit",
            )

    def _groups(self, prompts: Sequence[Asked]) -> Iterator[list[Asked]]:
        """The prompts in their order, in groups whose rows fit at once."""
        group: list[Asked] = []
        rows = 0
        for asked in prompts:
            need = 1 if asked.first is None else len(asked.tokens)
            if group and (rows + need > self._rows or len(group) >= self._at_once):
                yield group
                group, rows = [], 0
            group.append(asked)
            rows += need
        if group:
            yield group

    def _params_of(self, asked: Asked) -> Any:
        self.counts.prompts += 1
        self.counts.tokens += len(asked.tokens)
        rows = {} if asked.first is None else {"prompt_logprobs": 1}
        self.counts.with_rows += bool(rows)
        return self._params(
            max_tokens=1,
            temperature=0.0,
            end_id=0,
            pad_id=0,
            ignore_eos=True,
            detokenize=False,
            add_special_tokens=False,
            return_generation_logits=True,
            **rows,
        )

    def _answers(self, asked: Asked, output: Any) -> Iterator[dict[str, Any]]:
        if tuple(output.prompt_token_ids) != asked.tokens:
            raise Refused(
                "engine",
                f"TensorRT-LLM computed a prompt of {len(output.prompt_token_ids)} tokens that is not the one of "
                f"{len(asked.tokens)} that was sent",
            )
        ends = self._last_row(output)
        rows = [] if asked.first is None else checked_rows(asked, output, ends)
        for member in asked.members:
            inside = [rows[at - 1] for at in range(member.begins, len(asked.tokens))]
            values = [*inside, (float(ends[member.last]), bool(member.last == _first_best(ends)))]
            yield answer_of(member, [logprob for logprob, _ in values], all(best for _, best in values))

    def _last_row(self, output: Any) -> Any:
        """log p of every token behind the prompt, in fp32, from the logits of the token that was generated."""
        import torch

        logits = output.outputs[0].generation_logits
        if logits is None or logits.ndim != 2 or logits.shape[0] != 1 or logits.shape[1] < self._vocabulary:
            had = "none" if logits is None else "x".join(map(str, logits.shape))
            raise Refused(
                "engine", f"TensorRT-LLM gave logits of {had} where 1x{self._vocabulary} of its new token were asked"
            )
        return torch.log_softmax(logits[0, : self._vocabulary].float(), -1).cpu()


def checked_rows(asked: Asked, output: Any, ends: Any) -> list[tuple[float, bool]]:
    """(log p, most probable) of tokens 1, 2 … of the prompt; entries before the first that is asked mean nothing.

    Refused where there is not a row a token, where a row lacks the token that it is about, and where the last row is not that
    of the generated token: rows would be of other tokens.
    """
    told, tokens = output.outputs[0].prompt_logprobs, asked.tokens
    if not told or len(told) != len(tokens):
        raise Refused(
            "engine",
            f"TensorRT-LLM told {len(told or ())} rows of a prompt of {len(tokens)} tokens: some were not computed, or their "
            "layout is another",
        )
    _check_last(told[-1], int(output.outputs[0].token_ids[0]), ends)
    assert asked.first is not None
    rows = [(0.0, False)] * (len(tokens) - 1)
    for at in range(asked.first, len(tokens)):
        rows[at - 1] = _of_token(told[at - 1], tokens[at], at)
    return rows


def _of_token(row: Any, token: int, position: int) -> tuple[float, bool]:
    found = row.get(token) if isinstance(row, Mapping) else None
    if found is None:
        raise Refused(
            "engine",
            f"TensorRT-LLM's row {position - 1} lacks the token that stands at {position}: it is never left out",
        )
    # Its rank counts the more probable alone, so equals share one: the lowest id is the greedy one, as argmax has it.
    above = (
        other.logprob > found.logprob or (other.logprob == found.logprob and key < token) for key, other in row.items()
    )
    return float(found.logprob), not any(above)


def _check_last(row: Any, generated: int, ends: Any) -> None:
    """Refused where the last row is not of the generated token; where either is no number the answer tells."""
    found = row.get(generated) if isinstance(row, Mapping) else None
    if found is None:
        raise Refused("engine", "TensorRT-LLM's last row lacks the token that it generated: its layout is another")
    apart = abs(float(found.logprob) - float(ends[generated]))
    if apart > SAME_ROW:
        raise Refused(
            "engine",
            f"TensorRT-LLM's last row is {apart:.2g} nats from the logits of the token that it generated: its rows are "
            "shifted, or of another prompt",
        )


def _first_best(row: Any) -> int:
    """The most probable token, of equals the lowest id."""
    return int((row == row.max()).nonzero()[0, 0]) if bool((row == row).all()) else -1
