"""Windows of attention, shortened while a trial runs: else a window longer than the trial's sequences would not show."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("sliding_window", "sliding_window_size", "attention_chunk_size", "window_size", "attention_window_size")
"""What configurations and attention modules call the tokens that a query sees back."""
SHORT = 8
"""Tokens of a shortened window."""


@contextmanager
def short_windows(*models: Any) -> Generator[None]:
    """Inside, no window of the models is longer than SHORT; afterwards they are as they were."""
    changed: list[tuple[Any, str, int]] = []
    try:
        for model in models:
            for owner in _owners(model):
                for name in NAMES:
                    value = getattr(owner, name, None)
                    if isinstance(value, int) and not isinstance(value, bool) and value > SHORT:
                        changed.append((owner, name, value))
                        setattr(owner, name, SHORT)
        yield
    finally:
        for owner, name, value in reversed(changed):
            setattr(owner, name, value)


def _owners(model: Any) -> Iterator[Any]:
    """Every module, and every configuration that one of them holds (modules share most of them)."""
    seen: set[int] = set()
    for module in model.modules():
        yield module
        for config in _configs(getattr(module, "config", None)):
            if id(config) not in seen:
                seen.add(id(config))
                yield config


def _configs(config: Any) -> Iterator[Any]:
    if config is not None:
        yield config
        for name in getattr(config, "sub_configs", ()):
            yield from _configs(getattr(config, name, None))
