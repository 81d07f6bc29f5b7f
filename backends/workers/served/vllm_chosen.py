"""Scores by chosen ids of the prompt, where vLLM's V2 runner has them: the head only on the rows that are asked.

Written against vLLM 0.32.0's interface (`prompt_logprob_token_ids`, vllm-project/vllm#54335) and never run: its CPU engine has
no V2 runner. It is used where the parent asks for it. These scores come without ranks, so whether an ending is the greedy one
is known in two cases alone: its last token is not the one that vLLM generated, or each of its tokens is more probable than all
others together. Where neither holds the request is asked again by rows.
"""

from __future__ import annotations

import math
from typing import Any

from vllm_asked import Asked, answer_of, last_rows
from wire import Refused

CERTAIN = math.log(0.5)


def chosen_params(asked: Asked) -> dict[str, Any]:
    """Sampling parameters for the tokens inside the prompt; row i is about token `prompt_logprob_start` + 1 + i."""
    if asked.first is None:
        return {}
    ids = [[token] for token in asked.tokens[asked.first :]]
    return {"prompt_logprob_token_ids": ids, "prompt_logprob_start": asked.first - 1}


def chosen_answers(asked: Asked, output: Any) -> tuple[list[dict[str, Any]], Asked | None]:
    """Answers of the requests whose greedy flag is known, and what is to be asked by rows.

    vLLM drops the scores of a request whose first asked row came from its prefix cache; then all of it is asked again.
    """
    logprobs = _inside(asked, output)
    if logprobs is None:
        return [], asked
    ends = last_rows(asked, output)
    answers: list[dict[str, Any]] = []
    open_: list[Any] = []
    for member in asked.members:
        values = [*logprobs[member.begins :], ends[member.last][0]]
        last_is_best = ends[member.last][1]
        inside = values[:-1]
        if not all(map(math.isfinite, values)) or not last_is_best or all(value > CERTAIN for value in inside):
            answers.append(answer_of(member, values, last_is_best))
        else:
            open_.append(member)
    return answers, Asked(asked.tokens, open_) if open_ else None


def _inside(asked: Asked, output: Any) -> list[float] | None:
    """log p of each token of the prompt, those before the first that is asked 0; None where vLLM dropped them."""
    if asked.first is None:
        return [0.0] * len(asked.tokens)
    scores = output.prompt_token_id_logprobs
    if scores is None:
        return None
    rows = [list(map(float, row)) for row in scores]
    if len(rows) != len(asked.tokens) - asked.first or any(len(row) != 1 for row in rows):
        raise Refused("engine", f"vLLM told {len(rows)} scores of {len(asked.tokens) - asked.first} chosen tokens")
    return [0.0] * asked.first + [row[0] for row in rows]
