"""From a user's word to the model that it means: the only place that resolves one.

A word is a name of the registry (id, alias or hub id), a folder, or any other hub id, in this order: a folder that has the
name of a registry model is reached by its path (`./minitron-8b`). An address of the hub means the id in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zoo.arch.config_comparison import compare
from zoo.arch.dims import Dense, Hybrid
from zoo.arch.hf_config import dims_of, read_config
from zoo.checkpoint.forms.refusal import given_file
from zoo.checkpoint.head import config_as_stored
from zoo.checkpoint.hub.ids import check_id, read_address, shown
from zoo.errors import FileMissing, InvalidOption, UnknownModel, UnsupportedArchitecture, WeightsNotPublic
from zoo.files import json_object
from zoo.names import closest, folder_name
from zoo.registry.loader import Model, load_registry

Kind = Literal["registry", "hub", "folder"]
LONGEST_NAME = 200


@dataclass(frozen=True)
class ModelRef:
    """A resolved model: its identity and where it comes from. Nothing of its weights was touched."""

    kind: Kind
    id: str
    """What results are filed under: the registry id, the hub id, or of a folder its own name."""
    entry: Model | None = None
    """The registry entry; None for a folder, whatever it is called, and for other hub models."""
    folder: Path | None = None
    """The folder, of a local model and of one that ships with minizoo or was made as the registry says."""
    name: str | None = None
    """The name that the user gave a local model (`--name`)."""
    parent: str | None = None
    """The model that it was made from: of the registry's lineage, `--parent`, or the minizoo.json that `prune` wrote."""

    @property
    def shown(self) -> str:
        """What a person calls it: the given name, else the id."""
        return self.name or self.id

    @property
    def hub(self) -> tuple[str, str | None]:
        """Hub id and revision (None: the newest); WeightsNotPublic for a registry model that is on no hub."""
        if self.entry is None:
            return self.id, None
        if self.entry.made is not None:
            raise WeightsNotPublic(
                f"{self.entry.display} is on no hub: its weights are made by {self.entry.made.by}.",
                f"Give the folder that was made, and `--name {self.id}`.",
            )
        if self.entry.hub is None:
            raise WeightsNotPublic(
                f"{self.entry.display} has no public weights, so it cannot be run.",
                f"`minizoo show {self.id}` tells what is known.",
            )
        return self.entry.hub.id, self.entry.hub.revision

    @property
    def dims(self) -> Dense | Hybrid:
        """The registry's dimensions, else those of the folder's config.json, with the head that its weights have.

        Raises UnsupportedArchitecture where a config has no closed form here, and for a hub model that is in no registry.
        """
        if self.entry is not None:
            return self.entry.architecture
        if self.folder is None:
            raise UnsupportedArchitecture(
                f"The dimensions of {self.id} are not known before it is fetched.",
                "Give a folder, a model of the registry, or add it to one (MINIZOO_REGISTRY).",
            )
        return dims_of(config_as_stored(read_config(str(self.folder)), self.folder), self.folder)

    @property
    def dense_dims(self) -> Dense:
        """As `dims`; UnsupportedArchitecture for a hybrid."""
        if isinstance(dims := self.dims, Dense):
            return dims
        raise UnsupportedArchitecture(
            f"{self.shown} is a hybrid; this takes dense transformers.", "Take another model."
        )


def resolve(word: str, name: str | None = None, parent: str | None = None) -> ModelRef:
    """The model that `word` means. `name` and `parent` are what the user says of a local or hub model.

    A folder under the `name` of a registry model whose weights everyone makes (`made`) is that model.

    Raises UnknownModel for a word that is none of the three, FileMissing for a path that is no folder (ForeignWeights and
    AdapterAlone for a file of their kind), InvalidOption for a `name` that the registry has or that is not printable, for a
    folder of other dimensions than the model that it is called, and for either given to a registry model.
    """
    registry = load_registry()
    there = _on_disk(word)
    word = (read_address(word) if there is None else None) or word
    entry = registry.find(word) or registry.find(word.rstrip("/"))
    if entry is not None:
        if name is not None or parent is not None:
            raise InvalidOption(
                f"{entry.id} has its name and its parent from the registry.",
                "--name and --parent are for folders and other hub models.",
            )
        return ModelRef(
            "registry", entry.id, entry, entry.weights_folder, None, entry.lineage.parent if entry.lineage else None
        )
    made = registry.find(name) if name is not None and there is not None and there.is_dir() else None
    if made is not None and there is not None and made.made is not None and parent is None:
        return _as_made(made, there)
    if name is not None:
        _check_name(name)
    if there is not None and there.is_dir():
        return ModelRef("folder", folder_name(there), None, there, name, _parent_id(parent or _stated_parent(there)))
    if there is not None and there.is_file():
        raise given_file(there)
    if word.startswith((".", "/", "~")) or there is not None:
        raise FileMissing(
            f"{shown(word)} is not a folder.", "Give the folder that holds config.json and the safetensors files."
        )
    if "/" in word or not word.isprintable() or len(word) > LONGEST_NAME:
        return ModelRef("hub", check_id(word), None, None, name, _parent_id(parent))
    registry.resolve(word)
    raise UnknownModel(f"There is no model named '{word}'.")  # `resolve` raises for every unknown name


def _on_disk(word: str) -> Path | None:
    """What is on the disk under this name; None for nothing, and for a name that no disk can have."""
    try:
        path = Path(word).expanduser()
        return path if word and path.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL inside, the home of nobody
        return None


def near_registry_name(word: str) -> str | None:
    """The registry's name most like `word`; None when none is near."""
    return closest(word, load_registry().names())


def _as_made(entry: Model, folder: Path) -> ModelRef:
    """The registry's model in the folder that somebody made; its weights' digest in each record tells whose."""
    differences = [one for one in compare(entry.architecture, read_config(str(folder))) if one.contradicts]
    if differences:
        told = "; ".join(f"{one.dimension} {one.config}, not {one.entry}" for one in differences)
        raise InvalidOption(
            f"{shown(str(folder))} is not {entry.id}: its config.json says {told}.", "Give it another --name."
        )
    return ModelRef("registry", entry.id, entry, folder, None, entry.lineage.parent if entry.lineage else None)


def _check_name(name: str) -> None:
    taken = load_registry().find(name)
    if taken is not None:
        raise InvalidOption(f"'{name}' names {taken.id} of the registry.", "Give your model another --name.")
    if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise InvalidOption(f"{name!r} is no name.", f"Give 1 to {LONGEST_NAME} printable characters.")


def _parent_id(parent: str | None) -> str | None:
    """The registry id of a parent where it has one, else the word itself."""
    entry = load_registry().find(parent) if parent else None
    return entry.id if entry else parent


def _stated_parent(folder: Path) -> str | None:
    """The parent that the folder's minizoo.json names; None where there is none."""
    stated = json_object(folder / "minizoo.json").get("parent")
    found = stated.get("name") if isinstance(stated, Mapping) else None
    return found if isinstance(found, str) else None
