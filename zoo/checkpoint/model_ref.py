"""From a name to a folder of safetensors that is known to be whole.

A name is a registry id, alias or hub id, any other hub id, or a local folder. Weights are read from safetensors alone and
no code that comes with a checkpoint is ever run.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.checkpoint.plan_folder import LAYER_WIDTHS, virtual_parent
from zoo.checkpoint.safetensors import check_whole, safetensors_files
from zoo.errors import EnvironmentIssue, InputError
from zoo.names import closest
from zoo.registry.loader import Model, load_registry

HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
WANTED = ["*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "tokenizer*", "*.model"]
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model")


@dataclass(frozen=True)
class Checkpoint:
    """A folder in Hugging Face form, checked: config.json parses and every safetensors file has its full length."""

    name: str
    """What results are filed under: the registry id, the hub id, or the folder's own name."""
    folder: Path
    config: Mapping[str, Any]
    model: Model | None
    """The registry entry, when the checkpoint is one of the registry's."""
    revision: str | None = None

    @property
    def max_length(self) -> int:
        """Positions the model was made for, from its configuration (lm-eval reads the same keys in the same order)."""
        for key in ("n_positions", "max_position_embeddings", "n_ctx"):
            if isinstance(self.config.get(key), int):
                return self.config[key]
        raise InputError(
            f"{self.folder / 'config.json'} names no context length.", "Add max_position_embeddings to it."
        )

    def weights_digest(self) -> str:
        """sha256 over the names and bytes of config.json and every safetensors file (and the plan, where there is
        one without weights of its own)."""
        plan = [self.folder / "plan.json"] if virtual_parent(self.folder) else []
        return _digest([self.folder / "config.json", *plan, *weight_files(self.folder)])

    @property
    def only_pruned(self) -> str | None:
        """Why nothing but the `pruned` backend can run this folder; None where anything can."""
        if LAYER_WIDTHS in self.config:
            return "its layers differ in width"
        return "it is a plan without weights of its own" if virtual_parent(self.folder) else None

    def tokenizer_digest(self) -> str:
        """sha256 over the names and bytes of the tokenizer's files."""
        return _digest(path for name in TOKENIZER_FILES if (path := self.folder / name).is_file())


def locate(name: str) -> Checkpoint:
    """Find the checkpoint that `name` means, fetching it from the hub where that is what it means.

    Raises InputError for a name that is none of the three and for a folder that is not a whole checkpoint;
    EnvironmentIssue when the hub cannot be reached.
    """
    registry = load_registry()
    model = registry.find(name)
    if model is not None:
        return _of_model(model)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return open_folder(folder)
    if name.startswith((".", "/", "~")) or folder.exists():
        raise InputError(
            f"{name} is not a folder.", "Give the folder that holds config.json and the safetensors files."
        )
    if HUB_ID.fullmatch(name):
        known = closest(name, [known for model in registry.models.values() for known in model.names])
        return _from_hub(name, None, name, f"Did you mean '{known}'? " if known else "")
    return _of_model(registry.resolve(name))


def open_folder(
    folder: Path, name: str | None = None, model: Model | None = None, revision: str | None = None
) -> Checkpoint:
    """Check the folder and describe it; InputError says which file is missing or cut short."""
    config = _read_config(folder)
    files = weight_files(folder)
    for path in files:
        check_whole(path)
    return Checkpoint(name or folder.resolve().name, folder, config, model, revision)


def weight_files(folder: Path) -> list[Path]:
    """The weight files of a folder, or those of its parent where it is a plan without weights."""
    return safetensors_files(virtual_parent(folder) or folder)


def _of_model(model: Model) -> Checkpoint:
    if model.weights_folder is not None:
        return open_folder(model.weights_folder, model.id, model)
    if model.hub is None:
        raise InputError(
            f"{model.display} has no public weights, so it cannot be run.",
            f"`minizoo show {model.id}` tells what is known.",
        )
    return _from_hub(model.hub.id, model.hub.revision, model.id, "", model)


def _from_hub(hub_id: str, revision: str | None, name: str, hint: str, model: Model | None = None) -> Checkpoint:
    from huggingface_hub import errors as hub
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(hub_id, revision=revision, allow_patterns=WANTED))
    except hub.GatedRepoError:
        raise InputError(
            f"{hub_id} is gated on the hub.",
            f"Accept its licence at huggingface.co/{hub_id}, then run `hf auth login`.",
        ) from None
    except hub.RepositoryNotFoundError:
        raise InputError(f"The hub has no model {hub_id}, and there is no such folder here.", hint) from None
    except hub.RevisionNotFoundError:
        raise InputError(f"{hub_id} has no revision {revision} on the hub.", "Correct it in registry.yaml.") from None
    except (hub.LocalEntryNotFoundError, hub.OfflineModeIsEnabled, OSError) as error:
        raise EnvironmentIssue(
            f"{hub_id} is neither a folder here nor in the hub's cache, and the hub cannot be reached ({_first_line(error)}).",
            f"{hint}Give --model a local folder, or run again with the network up (`minizoo doctor` checks it).",
        ) from None
    return open_folder(folder, name, model, folder.name if re.fullmatch(r"[0-9a-f]{40}", folder.name) else revision)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise InputError(
            f"{folder} has no config.json.", "Give a folder in Hugging Face form (config.json, *.safetensors)."
        )
    try:
        config = json.loads(path.read_text("utf-8"))
        if not isinstance(config, dict) or "model_type" not in config:
            raise ValueError("no model_type in it")
    except ValueError as error:
        raise InputError(
            f"{path} is not a model's configuration ({error}).", "Write it again or take another folder."
        ) from None
    return config


def _digest(paths: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            whole.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
