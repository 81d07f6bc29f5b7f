"""How many rows of logits are in memory together, and how many are worked on at once."""

from __future__ import annotations

import torch

MATRIX_BYTES = 128 << 20
"""Of one block of logits on a CPU: rows enough that reading the head once a block costs nothing beside its arithmetic."""
LEAST_ROWS = 128
"""Fewer rows make the matrix products slow, whatever the vocabulary."""
IN_CACHE = 1 << 18
"""Logits that are worked on at once on a CPU: four such tensors of 1 MiB stay in a core's cache."""
ON_A_DEVICE = 1 << 25
"""The same on an accelerator: enough to fill it, and few launches."""


def rows_together(chunk: int, vocabulary: int, itemsize: int, device: torch.device) -> int:
    """Tokens whose logits are in memory together: `chunk`, and on a CPU fewer where the vocabulary is large."""
    if device.type != "cpu":
        return chunk
    return max(1, min(chunk, max(LEAST_ROWS, MATRIX_BYTES // (vocabulary * itemsize))))


def rows_at_once(vocabulary: int, device: torch.device) -> int:
    """Rows of a block that are worked on at once."""
    return max(1, (IN_CACHE if device.type == "cpu" else ON_A_DEVICE) // vocabulary)
