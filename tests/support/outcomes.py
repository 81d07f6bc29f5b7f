"""Outcomes of conformance, of a backend that is nobody's."""

from backends.conformance.key import Key
from backends.conformance.outcome import CheckOutcome, Outcome

KEY = Key("theirs", "theirs 1.0", "cpu", "float32", "LlamaForCausalLM")


def outcome(verdict="pass", **changes):
    """An outcome of `KEY`, passed or failed at `alignment`, any field otherwise."""
    checks = (
        CheckOutcome("alignment", verdict, {"largest": 1e-6, "requests": 12}, "every token stands where it was asked"),
        CheckOutcome("stop", "skip", {}, "it generates nothing"),
    )
    return Outcome(**{"key": KEY, "checks": checks, "depth": "full", "model": "nano-teacher"} | changes)
