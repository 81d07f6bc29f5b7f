"""Which files of a folder are its weights: transformers' own rule, so that whatever reads weights reads the same ones.

A whole model.safetensors comes before an index and its shards (modeling_utils._get_resolved_checkpoint_files), unless
config.json names a file. What else lies there is not read, and `told` says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from zoo.arch.hf_config import read_config
from zoo.checkpoint.forms.names import pickled_entry
from zoo.checkpoint.forms.pointers import partly_fetched, refuse_pointers
from zoo.checkpoint.forms.refusal import adapter_alone, other_form
from zoo.errors import InputError, InvalidConfig, InvalidFile, WeightsMissing

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
SAFETENSORS = ".safetensors"
NAMED = "transformers_weights"
"""Key of config.json that names another file of weights, or another index."""
DISTRIBUTED = re.compile(r"shard-\d{5}-model-\d{5}-of-\d{5}\.safetensors")
"""Files of a distributed save, which transformers 5.23 takes before all others and 5.17 does not know."""
SCORES = "importance/scores.safetensors"
"""What `minizoo prune` writes beside weights: no candidate for them."""
DISTILLED = ("training/", "last/", "teacher/")
"""What `minizoo distill` writes beside weights: a checkpoint's training state, and other models in folders of their own."""
SHOWN = 4
"""Names of unread files that a message lists."""


@dataclass(frozen=True)
class WeightFiles:
    """What is read, in the order of transformers, and what lies beside it unread."""

    folder: Path
    read: tuple[Path, ...]
    index: str | None = None
    """The index that names them, where there is one."""
    unread: tuple[str, ...] = ()
    """Other indexes and safetensors, by their names inside the folder."""

    @property
    def described(self) -> str:
        """What is read, in words: `model.safetensors`, or an index and how many files it names."""
        if self.index is None:
            return self.read[0].name
        return f"{self.index} and the {len(self.read)} files that it names"

    @property
    def told(self) -> str | None:
        """Which weights are read where others lie beside them; None where there is nothing to tell."""
        if not self.unread:
            return None
        more = f" and {len(self.unread) - SHOWN} more" if len(self.unread) > SHOWN else ""
        return (
            f"Of {self.folder} the weights are {self.described}, as transformers takes them; "
            f"not read: {', '.join(self.unread[:SHOWN])}{more}."
        )


def weight_files(folder: Path) -> WeightFiles:
    """The weights of a folder in Hugging Face form.

    Raises WeightsMissing where transformers would find none or a shard is not there, ForeignWeights where they are in another
    form, AdapterAlone for an adapter, PartlyFetched and PointerFile for what a download left, InvalidFile for an index that
    is broken or names files that are no safetensors of this folder, InvalidConfig for a config.json that names such a file.
    """
    _refuse_distributed(folder)
    if (adapter := adapter_alone(folder)) is not None:
        raise adapter
    named = _named_by_config(folder)
    entry = named or next((name for name in (WHOLE, INDEX) if (folder / name).is_file()), None)
    if entry is None:
        raise _missing(folder)
    index = entry if entry.endswith(".json") else None
    refuse_pointers([folder / index] if index else [])
    read = tuple(folder / name for name in (shard_names(folder / entry) if index else [entry]))
    gone = [path.name for path in read if not path.is_file()]
    if gone:
        raise partly_fetched(folder) or WeightsMissing(
            f"{folder} lacks {len(gone)} of the {len(read)} weight files that its {index or 'config.json'} names, "
            f"first {gone[0]}.",
            "Fetch the missing files again.",
        )
    return WeightFiles(folder, read, index, tuple(_others(folder, {entry, *(_inside(folder, path) for path in read)})))


def shard_names(index: Path, suffix: str = SAFETENSORS) -> list[str]:
    """The files that an index names, in order; `suffix` is what the names of their format end with.

    Raises InvalidFile for an index that is broken, names none, or names files elsewhere.
    """
    what = suffix.removeprefix(".")
    try:
        content: Any = json.loads(index.read_text("utf-8"))
        names: list[str] = sorted(set(content["weight_map"].values()))
        content["metadata"]  # transformers reads it and fails without
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidFile(
            f"{index} is not an index of {what} files ({type(error).__name__}: {error}).",
            "Fetch the file again; it is an object with `metadata` and `weight_map`.",
        ) from None
    wrong = next((name for name in names if not _is_ours(name, suffix)), None)
    if wrong is not None or not names:
        fault = "names no file" if wrong is None else f"names {wrong!r}, which is no {what} file of its folder"
        raise InvalidFile(f"{index} {fault}.", "Fetch the checkpoint again; nothing outside its folder is read.")
    return names


def named_by_config(config: dict[str, Any], where: Path) -> str | None:
    """The file of weights that config.json itself names; None where it names none, InvalidConfig for one elsewhere."""
    named = config.get(NAMED)
    if named is None:
        return None
    if not (isinstance(named, str) and _is_ours(named.removesuffix(".index.json"))):
        raise InvalidConfig(
            f"{where / 'config.json'} names {named!r} as its {NAMED}, which is no safetensors file of its folder.",
            "Name a file inside the folder, or leave the key out.",
        )
    return named


def _named_by_config(folder: Path) -> str | None:
    if not (folder / "config.json").is_file():
        return None
    return named_by_config(read_config(folder), folder)


def _is_ours(name: Any, suffix: str = SAFETENSORS) -> bool:
    """Whether a name is that of a file of weights inside the folder, by its words alone: links are followed."""
    if not isinstance(name, str) or not name.endswith(suffix):
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _others(folder: Path, read: set[str]) -> list[str]:
    """Safetensors and indexes of the folder, and of folders in it, that are not read."""
    patterns = ("*.safetensors.index.json", "*.safetensors", "*/*.safetensors")
    found = [_inside(folder, path) for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_file()]
    of_distill = DISTILLED if (folder / "minizoo.json").is_file() or (folder / "training/state.json").is_file() else ()
    return [name for name in found if name not in read and name != SCORES and not name.startswith(of_distill)]


def _inside(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _refuse_distributed(folder: Path) -> None:
    shard = next(
        (path.name for path in sorted(folder.glob("shard-*.safetensors")) if DISTRIBUTED.fullmatch(path.name)), ""
    )
    if shard:
        raise WeightsMissing(
            f"{folder} holds a distributed save ({shard} …), which minizoo does not read and transformers would.",
            "Load it with transformers and save it again with save_pretrained, or remove these files.",
        )


HINTS: tuple[tuple[Callable[[str], bool], str], ...] = (
    (
        lambda name: name.startswith("adapter"),
        "An adapter is no model: merge it into its base model (peft's merge_and_unload) and save that.",
    ),
    (
        lambda name: name.startswith("consolidated"),
        "That is Mistral's own form: take the repository in Hugging Face form, or convert it by "
        "convert_mistral_weights_to_hf.py of transformers' repository (src/transformers/models/mistral).",
    ),
    (
        lambda name: re.search(r"-\d+-of-\d+\.safetensors$", name) is not None,
        f"They look like shards: fetch {INDEX} too, which names them.",
    ),
    (
        lambda name: re.fullmatch(r"model\..+\.safetensors(\.index\.json)?", name) is not None and name != INDEX,
        f"It looks like a variant: rename it to {WHOLE} if these weights are the ones that are meant.",
    ),
    (
        lambda name: name.endswith(".safetensors"),
        f"If one of them is the model as transformers saves it, rename it to {WHOLE}.",
    ),
)
"""What the name of a safetensors file that transformers does not load says about what to do."""


def _missing(folder: Path) -> InputError:
    """Why transformers finds no weights here."""
    link = next((name for name in (WHOLE, INDEX) if (folder / name).is_symlink()), None)
    if link is not None:
        return WeightsMissing(f"{folder / link} is a link to a file that is not there.", "Fetch the checkpoint again.")
    if (broken_off := partly_fetched(folder)) is not None:
        return broken_off
    there = sorted(path.name for path in folder.glob("*.safetensors*") if path.is_file())
    if not there:
        return _in_other_form(folder)
    hint = next((hint for says, hint in HINTS if says(there[0])), f"Write {WHOLE} with save_pretrained.")
    more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
    return WeightsMissing(
        f"{folder} holds neither {WHOLE} nor {INDEX}, the names that transformers loads, "
        f"only {', '.join(there[:SHOWN])}{more}.",
        hint,
    )


def _in_other_form(folder: Path) -> InputError:
    """What lies in a folder without any safetensors."""
    if (entry := pickled_entry([path.name for path in folder.iterdir() if path.is_file()])) is not None:
        return WeightsMissing(
            f"{folder} holds its weights as {entry}, and no safetensors.",
            "`minizoo eval`, `bench` and `prune` convert them once, where this folder is their model.",
        )
    return other_form(folder) or WeightsMissing(
        f"{folder} holds no *.safetensors file.",
        "minizoo reads safetensors only; convert other weights with transformers' save_pretrained.",
    )
