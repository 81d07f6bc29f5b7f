"""The hub's client and `datasets` kept from the network for a while: a dry run fetches nothing."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

FLAG = "HF_HUB_OFFLINE"


@contextmanager
def hub_offline() -> Generator[None]:
    """Inside, only what the hub's cache has can be had; what was set before holds again afterwards.

    Both packages read the environment variable when they are imported, so their own constants are what is set.
    """
    import datasets.config
    import huggingface_hub.constants

    modules = (huggingface_hub.constants, datasets.config)
    before = [getattr(module, FLAG) for module in modules]
    for module in modules:
        setattr(module, FLAG, True)
    try:
        yield
    finally:
        for module, value in zip(modules, before, strict=True):
            setattr(module, FLAG, value)
