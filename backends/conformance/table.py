"""The table of checks, in the order in which they are asked: what may kill an engine comes last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from backends.conformance.checks.agreement import agreement
from backends.conformance.checks.alignment import alignment, bos_once, first_token, repeated_tokens, vocabulary_edge
from backends.conformance.checks.answers import every_request, exactly_chance, finite, normalised, per_token_sums
from backends.conformance.checks.closing import closing
from backends.conformance.checks.generation import end_of_text, generation, many_generations, stop_strings
from backends.conformance.checks.greedy import greedy_flags
from backends.conformance.checks.invariance import (
    abandoned_call,
    batch,
    cached_prefix,
    duplicates,
    order,
    same_call_twice,
)
from backends.conformance.checks.limits import after_refusal, empty_parts, longest_context, one_more, outside_vocabulary
from backends.conformance.checks.sampling import seeds
from backends.conformance.checks.streaming import streaming
from backends.conformance.outcome import Passed
from backends.conformance.subject import Subject

Needs = Literal["score", "generate", "stream"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check."""

    name: str
    asks: Callable[[Subject], Passed]
    """Raises Fail or Skip."""
    needs: Needs
    """What the backend must be able to do, else it is not asked."""
    short: bool
    """Whether it is part of the self-check before an evaluation."""

    @property
    def promise(self) -> str:
        """What the check holds a backend to, in a sentence."""
        return (self.asks.__doc__ or "").strip()


CHECKS = (
    Check("alignment", alignment, "score", True),
    Check("repeated-tokens", repeated_tokens, "score", True),
    Check("first-token", first_token, "score", True),
    Check("exactly-chance", exactly_chance, "score", True),
    Check("per-token-sums", per_token_sums, "score", True),
    Check("finite", finite, "score", True),
    Check("bos-once", bos_once, "score", True),
    Check("vocabulary-edge", vocabulary_edge, "score", False),
    Check("normalised", normalised, "score", False),
    Check("every-request", every_request, "score", True),
    Check("duplicates", duplicates, "score", True),
    Check("order", order, "score", True),
    Check("batch", batch, "score", True),
    Check("same-call-twice", same_call_twice, "score", True),
    Check("cached-prefix", cached_prefix, "score", True),
    Check("abandoned-call", abandoned_call, "score", False),
    Check("longest-context", longest_context, "score", True),
    Check("greedy-flags", greedy_flags, "score", True),
    Check("agreement", agreement, "score", True),
    Check("generation", generation, "generate", True),
    Check("many-generations", many_generations, "generate", False),
    Check("stop-strings", stop_strings, "generate", True),
    Check("end-of-text", end_of_text, "generate", True),
    Check("seeds", seeds, "generate", True),
    Check("streaming", streaming, "stream", False),
    Check("empty-parts", empty_parts, "score", True),
    Check("one-more", one_more, "score", True),
    Check("outside-vocabulary", outside_vocabulary, "score", True),
    Check("after-refusal", after_refusal, "score", True),
    Check("closing", closing, "score", False),
)
