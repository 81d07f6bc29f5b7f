"""From a resolved model to a folder of safetensors that is known to be whole, fetched from the hub where need be.

Weights are read from safetensors alone, and no code that comes with a checkpoint is ever run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.arch.hf_config import read_config
from zoo.checkpoint.digests import digest_of, tokenizer_files
from zoo.checkpoint.model_ref import ModelRef, near_registry_name, resolve
from zoo.checkpoint.plan_folder import LAYER_WIDTHS, virtual_parent
from zoo.checkpoint.safetensors import check_whole, safetensors_files
from zoo.errors import HubUnreachable, InvalidConfig, RepositoryGated, RepositoryMissing, one_line
from zoo.registry.loader import Model

WANTED = ["*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "tokenizer*", "*.model"]
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Checkpoint:
    """A folder in Hugging Face form, checked: config.json parses and every safetensors file has its full length."""

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

    @property
    def max_length(self) -> int:
        """Positions the model was made for, from its configuration (lm-eval reads the same keys in the same order)."""
        for key in ("n_positions", "max_position_embeddings", "n_ctx"):
            if isinstance(self.config.get(key), int):
                return self.config[key]
        raise InvalidConfig(
            f"{self.folder / 'config.json'} names no context length.", "Add max_position_embeddings to it."
        )

    @property
    def only_pruned(self) -> str | None:
        """Why nothing but the `pruned` backend can run this folder; None where anything can."""
        if LAYER_WIDTHS in self.config:
            return "its layers differ in width"
        return "it is a plan without weights of its own" if virtual_parent(self.folder) else None

    def weights_digest(self) -> str:
        """sha256 over the names and bytes of config.json and every safetensors file (and the plan, where there is one
        without weights of its own). Reads every byte."""
        plan = [self.folder / "plan.json"] if virtual_parent(self.folder) else []
        return digest_of([self.folder / "config.json", *plan, *weight_files(self.folder)])

    def tokenizer_digest(self) -> str:
        """sha256 over the names and bytes of the tokenizer's files."""
        return digest_of(tokenizer_files(self.folder))


def locate(model: ModelRef | str) -> Checkpoint:
    """The whole checkpoint of a model, fetched from the hub where that is where it is. A word is resolved first.

    Raises what `resolve` raises; WeightsMissing and WeightsTruncated for a folder that is no whole checkpoint;
    HubUnreachable, RepositoryGated and RepositoryMissing for one that cannot be fetched.
    """
    ref = resolve(model) if isinstance(model, str) else model
    if ref.folder is not None:
        return open_folder(ref.folder, ref)
    folder = _fetched(ref)
    return open_folder(folder, ref, folder.name if COMMIT.fullmatch(folder.name) else ref.hub[1])


def open_folder(folder: Path, ref: ModelRef | None = None, revision: str | None = None) -> Checkpoint:
    """Check the folder of a model, a local one where no `ref` is given.

    Raises ConfigMissing, InvalidConfig, WeightsMissing and WeightsTruncated.
    """
    config = read_config(folder)
    if "model_type" not in config:
        raise InvalidConfig(
            f"{folder / 'config.json'} is not a model's configuration (no model_type in it).", "Write it again."
        )
    for path in weight_files(folder):
        check_whole(path)
    return Checkpoint(ref or ModelRef("folder", folder.resolve().name, folder=folder), folder, config, revision)


def weight_files(folder: Path) -> list[Path]:
    """The weight files of a folder, or those of its parent where it is a plan without weights."""
    return safetensors_files(virtual_parent(folder) or folder)


def _fetched(ref: ModelRef) -> Path:
    from huggingface_hub import errors as hub
    from huggingface_hub import snapshot_download

    hub_id, revision = ref.hub
    near = near_registry_name(hub_id) if ref.entry is None else None
    hint = f"Did you mean '{near}'? " if near else ""
    try:
        return Path(snapshot_download(hub_id, revision=revision, allow_patterns=WANTED))
    except hub.GatedRepoError:
        raise RepositoryGated(
            f"{hub_id} is gated on the hub.",
            f"Accept its licence at huggingface.co/{hub_id}, then run `hf auth login`.",
        ) from None
    except hub.RepositoryNotFoundError:
        raise RepositoryMissing(f"The hub has no model {hub_id}, and there is no such folder here.", hint) from None
    except hub.RevisionNotFoundError:
        raise RepositoryMissing(
            f"{hub_id} has no revision {revision} on the hub.", "Correct it in registry.yaml."
        ) from None
    except (hub.LocalEntryNotFoundError, hub.OfflineModeIsEnabled, OSError) as error:
        reason = one_line(error)[:160] or type(error).__name__
        raise HubUnreachable(
            f"{hub_id} is neither a folder here nor in the hub's cache, and the hub cannot be reached ({reason}).",
            f"{hint}Give --model a local folder, or run again with the network up (`minizoo doctor` checks it).",
        ) from None
