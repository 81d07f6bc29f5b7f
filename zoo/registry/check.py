"""A model's entry compared with a real config.json: a file's, a folder's, or the hub's."""

from __future__ import annotations

from zoo.arch.config_comparison import Difference, compare
from zoo.arch.hf_config import fetch_config, read_config
from zoo.errors import ConflictingOptions
from zoo.registry.loader import Model


def check_config(model: Model, where: str) -> list[Difference]:
    """How the config.json at `where` (a file, a folder, or `hub`) differs from the model's entry.

    Raises ConfigMissing or InvalidConfig for a file that is none, HubUnreachable, and ConflictingOptions for `hub` where
    no source names one.
    """
    if where != "hub":
        return compare(model.architecture, read_config(where))
    if model.hub is None:
        raise ConflictingOptions(f"'{model.id}' is on no hub that a source names.", "Give --check a file or folder.")
    return compare(model.architecture, fetch_config(model.hub.id, model.hub.revision))
