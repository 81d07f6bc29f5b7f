"""From a resolved model to a folder of safetensors that is known to be whole, fetched from the hub where need be.

Weights are read from safetensors alone, and no code that comes with a checkpoint is ever run.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo.arch.config_comparison import compare
from zoo.arch.dims import Dense, Hybrid
from zoo.arch.hf_config import dims_of, read_config
from zoo.arch.windows import check_kinds
from zoo.checkpoint.context_length import ContextLength, context_length
from zoo.checkpoint.digests import digest_of
from zoo.checkpoint.fetch import Fetched, Progress, fetch_small, fetch_weights
from zoo.checkpoint.forms.pointers import refuse_pointers
from zoo.checkpoint.forms.refusal import other_form
from zoo.checkpoint.head import told_of_head, with_stored_head
from zoo.checkpoint.model_ref import ModelRef, resolve
from zoo.checkpoint.pickled.conversion import PickledWeights, converted, pickled_weights
from zoo.checkpoint.plan_folder import LAYER_WIDTHS, virtual_parent
from zoo.checkpoint.safetensors import stored_tensors
from zoo.checkpoint.small_files import small_files, tokenizer_files
from zoo.checkpoint.weight_files import weight_files
from zoo.errors import InputError, InvalidConfig
from zoo.names import folder_name
from zoo.registry.loader import Model

__all__ = ["Checkpoint", "Outline", "Progress", "locate", "open_folder", "outline"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelFolder:
    """A folder in Hugging Face form: config.json parses, and the small files are those that the model comes with.

    `config` is config.json as transformers acts on it: a head that is stored apart is not tied, whatever the file says.
    """

    ref: ModelRef
    folder: Path
    config: Mapping[str, Any]
    revision: str | None = None
    """The hub's commit that was fetched; None for a folder."""
    hub_id: str | None = None
    """What the hub calls it now: another id than was asked for where it was renamed. None for a folder."""

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

    @property
    def closed_form(self) -> Dense | Hybrid | None:
        """config.json's dimensions; None where layers are unlike or the class has no closed form here."""
        if LAYER_WIDTHS in self.config:
            return None
        try:
            return dims_of(self.config, self.folder)
        except InputError:
            return None

    def tokenizer_digest(self) -> str:
        """sha256 over the names and bytes of the tokenizer's files, chat templates included."""
        return digest_of(tokenizer_files(self.folder), self.folder)


@dataclass(frozen=True)
class Outline(ModelFolder):
    """A model before its weights are fetched; of a folder, weights and all are known to be whole.

    The `config` of a hub model is config.json as it says: whether its head is stored apart is known with the weights.
    """

    weight_bytes: int | None = None
    """Of the weight files, in whatever format; None where that is not known before they are fetched."""
    missing_bytes: int = 0
    """Of the weight files that are still to be fetched; 0 for a folder."""
    fetched: Fetched | None = None
    """How the rest is fetched; None for a folder."""


@dataclass(frozen=True)
class Checkpoint(ModelFolder):
    """A model that is whole: every safetensors file has its full length."""

    converted_from: str | None = None
    """sha256 over the names and bytes of the pickled files that the weights were converted from; None for safetensors."""

    def weights_digest(self) -> str:
        """sha256 over the names and bytes of config.json and of the weights that are read (and the plan, where there is one
        without weights of its own). Reads every byte."""
        parent = virtual_parent(self.folder)
        plan = [self.folder / "plan.json"] if parent else []
        return digest_of([self.folder / "config.json", *plan, *weight_files(parent or self.folder).read])


def outline(model: ModelRef | str) -> Outline:
    """What a model is, with its small files fetched and no weight: all that can refuse it before an hour of download.

    A folder is checked as whole as `locate` does, but for pickled weights, which are not unpickled yet. Raises what `resolve`
    raises; ConfigMissing and InvalidConfig;
    WeightsMissing and WeightsTruncated for a folder that is no whole checkpoint; HubUnreachable, RepositoryGated and
    RepositoryMissing for a model that cannot be fetched.
    """
    ref = resolve(model) if isinstance(model, str) else model
    if ref.folder is not None and (pickled := _pickled(ref.folder)) is not None:
        return Outline(ref, ref.folder, model_config(ref.folder), weight_bytes=pickled.bytes)
    if ref.folder is not None:
        whole = open_folder(ref.folder, ref)
        size = sum(path.stat().st_size for path in weight_files(virtual_parent(ref.folder) or ref.folder).read)
        return Outline(ref, whole.folder, whole.config, weight_bytes=size)
    fetched = fetch_small(ref)
    config = model_config(fetched.folder)
    if ref.entry is not None:
        _tell_contradictions(ref.entry, config)
    return Outline(
        ref,
        fetched.folder,
        config,
        fetched.commit,
        fetched.hub_id,
        weight_bytes=fetched.weight_bytes,
        missing_bytes=fetched.missing_bytes,
        fetched=fetched,
    )


def locate(model: ModelRef | str | Outline, progress: Progress | None = None) -> Checkpoint:
    """The whole checkpoint of a model, fetched from the hub where that is where it is. A word is resolved first.

    Pickled weights are converted to safetensors, once (zoo.checkpoint.pickled). `progress` is told of bytes fetched and
    converted. Raises what `outline` raises, the same of a fetch that stops on its way, and what `converted` raises.
    """
    begun = model if isinstance(model, Outline) else outline(model)
    folder = begun.folder if begun.fetched is None else fetch_weights(begun.fetched, progress)
    pickled = _pickled(folder)
    if pickled is not None:
        made = converted(pickled, progress)
        whole = open_folder(made.folder, begun.ref, begun.revision)
        return replace(whole, hub_id=begun.hub_id, converted_from=made.digest)
    if begun.fetched is None:
        return Checkpoint(begun.ref, begun.folder, begun.config, begun.revision)
    return replace(open_folder(folder, begun.ref, begun.revision), hub_id=begun.hub_id)


def _pickled(folder: Path) -> PickledWeights | None:
    """What the folder has in place of safetensors; None for one that has them, and for a plan on another's."""
    return None if virtual_parent(folder) else pickled_weights(folder)


def open_folder(folder: Path, ref: ModelRef | None = None, revision: str | None = None) -> Checkpoint:
    """Check the folder of a model, a local one where no `ref` is given; what is told of its weights is logged as a warning.

    Raises ConfigMissing, InvalidConfig, what `weight_files` and `stored_tensors` raise.
    """
    config = model_config(folder)
    parent = virtual_parent(folder)
    files = weight_files(parent or folder)
    if files.told:
        log.warning("%s", files.told)
    stored = stored_tensors(files.read)
    if parent is None:
        stated, (config, _) = config, with_stored_head(config, stored)
        if config is not stated:
            log.warning("%s", told_of_head(folder))
    return Checkpoint(ref or ModelRef("folder", folder_name(folder), folder=folder), folder, config, revision)


def model_config(folder: Path) -> Mapping[str, Any]:
    """The folder's config.json.

    Raises ConfigMissing, InvalidConfig for one that is no model's, PointerFile where it or the tokenizer was not fetched, and
    of a folder without one what `other_form` says of its files.
    """
    if not (folder / "config.json").is_file() and (other := other_form(folder)) is not None:
        raise other
    refuse_pointers([folder / "config.json", *small_files(folder)])
    config: Mapping[str, Any] = read_config(folder)
    if "model_type" not in config:
        raise InvalidConfig(
            f"{folder / 'config.json'} is not a model's configuration (no model_type in it).", "Write it again."
        )
    check_kinds(config, folder)
    return config


def _tell_contradictions(model: Model, config: Mapping[str, Any]) -> None:
    """Warn where the hub's config.json is not that of the registry's entry: what is measured goes by the entry's name."""
    differences = [one for one in compare(model.architecture, config) if one.contradicts]
    if differences:
        told = "; ".join(f"{one.dimension} {one.config}, not {one.entry}" for one in differences)
        log.warning(
            "The hub's config.json of %s contradicts the registry's entry: %s. Results go by its name all the same.",
            model.id,
            told,
        )
