"""How many rows of logits are in memory together, and how many are worked on at once. The plan of memory asks here too."""

from __future__ import annotations

ROWS_ON_CPU = 256
"""Tokens of a chunk on a CPU. From 128 to 1,024 rows the matrix products take the same time within 6 % (fp32 and bf16), so that
few rows cost nothing: two blocks of fp32 logits at 128k entries are 256 MiB."""
IN_CACHE = 1 << 18
"""Logits that a thread works on at once on a CPU: four such tensors of 1 MiB stay near a core. Four times as many are slower by
half, where the hidden states are narrow and the logits' own work shows."""
ON_A_DEVICE = 1 << 25
"""The same on an accelerator, where it was not measured: enough to fill it, and few launches."""


def rows_together(chunk: int, device: str) -> int:
    """Tokens whose logits are in memory together on a kind of device: `chunk`, and on a CPU no more than it has use for."""
    return max(1, min(chunk, ROWS_ON_CPU) if device == "cpu" else chunk)


def rows_at_once(vocabulary: int, device: str, threads: int = 1) -> int:
    """Rows of a chunk whose softmax and gradient are computed together; a row's softmax is one thread's work on a CPU."""
    if device != "cpu":
        return max(1, ON_A_DEVICE // vocabulary)
    return max(1, IN_CACHE // vocabulary) * threads
