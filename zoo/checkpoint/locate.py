"""From a resolved model to a folder of safetensors that is known to be whole, fetched from the hub where need be.

Weights are read from safetensors alone, and no code that comes with a checkpoint is ever run.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo.arch.hf_config import read_config
from zoo.checkpoint.context_length import ContextLength, context_length
from zoo.checkpoint.digests import digest_of
from zoo.checkpoint.fetch import WANTED, fetch
from zoo.checkpoint.head import told_of_head, with_stored_head
from zoo.checkpoint.model_ref import ModelRef, resolve
from zoo.checkpoint.plan_folder import LAYER_WIDTHS, virtual_parent
from zoo.checkpoint.safetensors import stored_tensors
from zoo.checkpoint.small_files import tokenizer_files
from zoo.checkpoint.weight_files import weight_files
from zoo.errors import InvalidConfig
from zoo.registry.loader import Model

__all__ = ["WANTED", "Checkpoint", "locate", "open_folder"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A folder in Hugging Face form, checked: config.json parses and every safetensors file has its full length.

    `config` is config.json as transformers acts on it: a head that is stored apart is not tied, whatever the file says.
    """

    ref: ModelRef
    folder: Path
    config: Mapping[str, Any]
    revision: str | None = None
    """The hub's commit; None for a folder."""

    @property
    def name(self) -> str:
        """What messages and results call it."""
        return self.ref.shown

    @property
    def model(self) -> Model | None:
        """The registry entry, when the checkpoint is one of the registry's."""
        return self.ref.entry

    @cached_property
    def context(self) -> ContextLength:
        """How many tokens the model attends to, by lm-eval's rule; InvalidConfig for one that is no number of tokens."""
        return context_length(self.config, self.folder)

    @property
    def max_length(self) -> int:
        """The context's tokens."""
        return self.context.tokens

    @property
    def only_pruned(self) -> str | None:
        """Why nothing but the `pruned` backend can run this folder; None where anything can."""
        if LAYER_WIDTHS in self.config:
            return "its layers differ in width"
        return "it is a plan without weights of its own" if virtual_parent(self.folder) else None

    def weights_digest(self) -> str:
        """sha256 over the names and bytes of config.json and of the weights that are read (and the plan, where there is one
        without weights of its own). Reads every byte."""
        parent = virtual_parent(self.folder)
        plan = [self.folder / "plan.json"] if parent else []
        return digest_of([self.folder / "config.json", *plan, *weight_files(parent or self.folder).read])

    def tokenizer_digest(self) -> str:
        """sha256 over the names and bytes of the tokenizer's files, chat templates included."""
        return digest_of(tokenizer_files(self.folder), self.folder)


def locate(model: ModelRef | str) -> Checkpoint:
    """The whole checkpoint of a model, fetched from the hub where that is where it is. A word is resolved first.

    Raises what `resolve` raises; WeightsMissing and WeightsTruncated for a folder that is no whole checkpoint;
    HubUnreachable, RepositoryGated and RepositoryMissing for one that cannot be fetched.
    """
    ref = resolve(model) if isinstance(model, str) else model
    if ref.folder is not None:
        return open_folder(ref.folder, ref)
    folder, commit = fetch(ref)
    return open_folder(folder, ref, commit)


def open_folder(folder: Path, ref: ModelRef | None = None, revision: str | None = None) -> Checkpoint:
    """Check the folder of a model, a local one where no `ref` is given; what is told of its weights is logged as a warning.

    Raises ConfigMissing, InvalidConfig, what `weight_files` and `stored_tensors` raise.
    """
    config: Mapping[str, Any] = read_config(folder)
    if "model_type" not in config:
        raise InvalidConfig(
            f"{folder / 'config.json'} is not a model's configuration (no model_type in it).", "Write it again."
        )
    parent = virtual_parent(folder)
    files = weight_files(parent or folder)
    if files.told:
        log.warning("%s", files.told)
    stored = stored_tensors(files.read)
    if parent is None:
        stated, (config, _) = config, with_stored_head(config, stored)
        if config is not stated:
            log.warning("%s", told_of_head(folder))
    return Checkpoint(ref or ModelRef("folder", folder.resolve().name, folder=folder), folder, config, revision)
