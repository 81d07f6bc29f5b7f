"""A model from the hub: its small files, then its weights once, in the form that transformers would read."""

from __future__ import annotations

import glob
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.arch.hf_config import read_config
from zoo.checkpoint.model_ref import ModelRef, near_registry_name
from zoo.checkpoint.small_files import GENERATION, MORE_TEMPLATES, OTHER_VOCABULARIES, TEMPLATES, VOCABULARIES
from zoo.checkpoint.weight_files import INDEX, WHOLE, named_by_config, shard_names
from zoo.errors import HubUnreachable, RepositoryGated, RepositoryMissing, one_line

SMALL = ("config.json", *GENERATION, *VOCABULARIES, *TEMPLATES)
WANTED = [*SMALL, *MORE_TEMPLATES, INDEX, WHOLE, "model-?????-of-?????.safetensors"]
"""What is fetched of a repository in the usual form. Of one that has a whole file beside shards, or shards of other names,
`fetch` takes what its index says, and it takes vocabularies under names of their own."""
Progress = Callable[[str, int, int], None]
"""Called with a step's name, how many bytes of it are done, and how many there are."""
COMMIT = re.compile(r"[0-9a-f]{40}")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fetched:
    """What is there of a hub model before its weights: the cache's folder with the small files, and what is still to come."""

    ref: ModelRef
    folder: Path
    commit: str | None
    """The hub's commit (the revision asked for, where that is unknown)."""
    weights: tuple[str, ...]
    """Names of the weight files, in whatever format; an index is small and is there already."""
    weight_bytes: int | None = None
    """Of all weight files; None where the hub did not say."""
    missing_bytes: int = 0
    """Of the weight files that are not in the cache yet."""


def fetch_small(ref: ModelRef) -> Fetched:
    """Fetch everything of a hub model but its weights, once.

    What is in the cache is not fetched again, and without a network the cache is all there is. Raises RepositoryGated,
    RepositoryMissing and HubUnreachable.
    """
    _, revision = ref.hub
    folder = _snapshot(ref, revision, [*SMALL, *OTHER_VOCABULARIES, INDEX], ["*/*"], small=True)
    commit = folder.name if COMMIT.fullmatch(folder.name) else revision
    _snapshot(ref, commit, MORE_TEMPLATES, small=True)
    named = named_by_config(read_config(folder), folder) if (folder / "config.json").is_file() else None
    if named and named.endswith(".json"):
        _snapshot(ref, commit, [_exactly(named)], small=True)
    return Fetched(ref, folder, commit, (named or WHOLE,))


def fetch_weights(fetched: Fetched, progress: Progress | None = None) -> Path:
    """Fetch what is missing of the weights; returns the folder. Raises what `fetch_small` raises."""
    ref, folder, commit = fetched.ref, fetched.folder, fetched.commit
    (entry,) = fetched.weights
    _snapshot(ref, commit, [_exactly(entry)])
    index = folder / (entry if entry.endswith(".json") else INDEX)
    if index.is_file() and (entry.endswith(".json") or not (folder / entry).is_file()):
        _snapshot(ref, commit, [_exactly(name) for name in shard_names(index)])
    return folder


def _exactly(name: str) -> str:
    """A pattern that matches this name alone."""
    return glob.escape(name)


def _snapshot(
    ref: ModelRef,
    revision: str | None,
    patterns: Sequence[str],
    ignored: Sequence[str] | None = None,
    small: bool = False,
) -> Path:
    """The cache's folder of a revision with the files of these patterns in it, as far as the repository has them.

    Where the hub is out of reach a cached folder that lacks some of the `small` files is taken as it is, with a warning.
    """
    from huggingface_hub import errors as hub
    from huggingface_hub import snapshot_download

    hub_id = ref.hub[0]
    near = near_registry_name(hub_id) if ref.entry is None else None
    hint = f"Did you mean '{near}'? " if near else ""
    try:
        return Path(
            snapshot_download(
                hub_id,
                revision=revision,
                allow_patterns=list(patterns),
                ignore_patterns=list(ignored) if ignored else None,
            )
        )
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
        cached = getattr(error, "snapshot_path", None)  # of a snapshot that is there in part
        reason = one_line(error)[:160] or type(error).__name__
        if small and cached and (Path(cached) / "config.json").is_file():
            log.warning(
                "%s is taken from the hub's cache without the small files that are not there: %s", hub_id, reason
            )
            return Path(cached)
        raise HubUnreachable(
            f"{hub_id} is neither a folder here nor whole in the hub's cache, and the hub cannot be reached ({reason}).",
            f"{hint}Give --model a local folder, or run again with the network up (`minizoo doctor` checks it).",
        ) from None
