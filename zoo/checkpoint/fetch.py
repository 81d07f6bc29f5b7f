"""A model from the hub: its small files, then its weights once, in the form that transformers would read.

What is in the hub's cache is not fetched again. A pinned revision that is whole there asks the hub nothing.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from zoo.arch.hf_config import read_config
from zoo.checkpoint.forms.names import PICKLED_INDEX, pickled_entry
from zoo.checkpoint.forms.refusal import ADAPTER, adapter_of, foreign_weights
from zoo.checkpoint.hub.cache import COMMIT, CachedRepository, HubFile
from zoo.checkpoint.hub.files import check_room, fetch_files
from zoo.checkpoint.hub.reachable import ask_early, why_unreachable
from zoo.checkpoint.hub.repository import describe, list_files
from zoo.checkpoint.hub.transfer import Progress
from zoo.checkpoint.model_ref import ModelRef, near_registry_name, resolve
from zoo.checkpoint.small_files import GENERATION, MORE_TEMPLATES, OTHER_VOCABULARIES, TEMPLATES, VOCABULARIES
from zoo.checkpoint.weight_files import INDEX, WHOLE, named_by_config, shard_names
from zoo.errors import ConfigMissing, HubUnreachable, InputError, MinizooError, RepositoryMissing, WeightsMissing
from zoo.files import json_object

SMALL = ("config.json", *GENERATION, *VOCABULARIES, *TEMPLATES, *OTHER_VOCABULARIES, *MORE_TEMPLATES)
"""What is fetched beside the weights: patterns that stand for names inside one folder."""
WEIGHTS_ENDINGS = (".safetensors", ".bin")
SHOWN = 4

log = logging.getLogger(__name__)

__all__ = ["SMALL", "Fetched", "Progress", "fetch_small", "fetch_weights", "refuse_out_of_reach", "small_names"]


@dataclass(frozen=True)
class Fetched:
    """What is there of a hub model before its weights: the cache's folder with the small files, and what is still to come."""

    ref: ModelRef
    repository: CachedRepository
    hub_id: str
    """What the hub calls it now: another id than was asked for where it was renamed."""
    commit: str
    weights: tuple[HubFile, ...] = ()
    """The weight files, in whatever format."""

    @property
    def folder(self) -> Path:
        """The folder of the commit in the hub's cache."""
        return self.repository.snapshot(self.commit)

    @property
    def weight_bytes(self) -> int:
        """Of all weight files."""
        return sum(file.size for file in self.weights)

    @property
    def missing_bytes(self) -> int:
        """Of the weight files that are still to be fetched; what came of a broken-off one counts as there."""
        return sum(file.size - self.repository.bytes_there(self.commit, file) for file in self.weights)


def fetch_small(ref: ModelRef) -> Fetched:
    """Fetch everything of a hub model but its weights, and see that there is room for those.

    Raises RepositoryGated, RepositoryMissing, HubUnreachable, HubBusy, HubFailing and TokenRefused for a repository that
    cannot be had, ConfigMissing, WeightsMissing, ForeignWeights and AdapterAlone for one that is no model to run, DiskFull.
    """
    hub_id, revision = ref.hub
    repository = CachedRepository(hub_id)
    known = _known(ref, repository, revision)
    if known is not None and revision == known.commit and known.missing_bytes == 0:
        return known
    if (reason := why_unreachable()) is not None:
        if known is None or known.missing_bytes:
            raise _out_of_reach(ref, reason)
        return known
    try:
        return _asked(ref, repository, revision)
    except MinizooError as error:
        if known is not None and not known.missing_bytes:
            log.warning("%s %s is taken from the hub's cache, commit %s.", error.what, hub_id, known.commit[:12])
            return known
        near = near_registry_name(hub_id) if ref.entry is None and isinstance(error, RepositoryMissing) else None
        if near is None:
            raise
        raise RepositoryMissing(error.what, f"Did you mean '{near}'? {error.hint}") from None


def fetch_weights(fetched: Fetched, progress: Progress | None = None) -> Path:
    """Fetch what is missing of the weights, and say where they are; a fetch that was broken off goes on.

    Raises what the hub refuses, DownloadBroken and DownloadCorrupt for what came in part or wrong, DiskFull, NotWritable.
    """
    if fetched.missing_bytes:
        check_room(fetched.hub_id, fetched.missing_bytes)
    if any(not fetched.repository.has(fetched.commit, file) for file in fetched.weights):
        if (reason := why_unreachable()) is not None:
            raise _out_of_reach(fetched.ref, reason)
        fetch_files(fetched.repository, fetched.hub_id, fetched.commit, fetched.weights, progress)
    return fetched.folder


def refuse_out_of_reach(word: str) -> None:
    """Raise HubUnreachable where `word` is a model of the hub, the hub cannot be reached, and its cache has no such model.

    For the first line of a command: it imports no engine, and takes a second at most. Raises what `resolve` raises, too.
    """
    ask_early()
    ref = resolve(word)
    if ref.folder is not None or (ref.entry is not None and ref.entry.hub is None):
        return
    hub_id, revision = ref.hub
    known = _known(ref, CachedRepository(hub_id), revision)
    if (known is None or known.missing_bytes) and (reason := why_unreachable()) is not None:
        raise _out_of_reach(ref, reason)


def _asked(ref: ModelRef, repository: CachedRepository, revision: str | None) -> Fetched:
    """The model by what the hub says of it now."""
    told = describe(repository.id, revision)
    if told.id and told.id != repository.id:
        log.warning("%s is called %s on the hub now; that is what is fetched.", repository.id, told.id)
    hub_id = told.id or repository.id
    listing = repository.listing(told.commit) or list_files(hub_id, told.commit)
    repository.remember(revision, told.commit, listing, hub_id)
    fetch = _Parts(repository, hub_id, told.commit, listing)
    if "config.json" not in listing:
        raise fetch.no_weights() or ConfigMissing(f"{hub_id} has no config.json, so it is no model.", "Take another.")
    fetch.bring(_small(listing))
    if (adapter := fetch.adapter()) is not None:
        raise adapter
    found = Fetched(ref, repository, hub_id, told.commit, fetch.weights())
    if found.missing_bytes:
        check_room(hub_id, found.missing_bytes)
    return found


def _known(ref: ModelRef, repository: CachedRepository, revision: str | None) -> Fetched | None:
    """The model by the cache alone, its weights there or not; None where the cache does not tell enough of it."""
    commit = repository.commit(revision)
    if commit is None or not (repository.snapshot(commit) / "config.json").is_file():
        return None
    listing = repository.listing(commit) or repository.listing_by_folder(commit)
    try:
        weights = _Parts(repository, repository.id, commit, listing, offline=True).weights()
    except InputError:
        return None
    missing = [file.name for file in _small(listing) if not repository.has(commit, file)]
    if missing and why_unreachable() is None:
        return None
    found = Fetched(ref, repository, repository.known_as, commit, weights)
    if missing and not found.missing_bytes:
        log.warning(
            "%s is taken from the hub's cache without the small files that are not there: %s.",
            repository.id,
            ", ".join(missing[:SHOWN]),
        )
    return found


@dataclass(frozen=True)
class _Parts:
    """What of a commit's files is fetched, and in which order: what a file says decides which is next."""

    repository: CachedRepository
    hub_id: str
    commit: str
    listing: Mapping[str, HubFile]
    offline: bool = False

    def bring(self, files: Sequence[HubFile]) -> None:
        """Fetch files that are not there; offline they stay away."""
        missing = [file for file in files if not self.repository.has(self.commit, file)]
        if missing and not self.offline:
            fetch_files(self.repository, self.hub_id, self.commit, missing)

    def weights(self) -> tuple[HubFile, ...]:
        """The weight files, by config.json, else as transformers takes them; an index is fetched and read.

        Raises WeightsMissing and what a folder of that form raises.
        """
        folder = self.repository.snapshot(self.commit)
        named = named_by_config(read_config(folder), folder)
        entry = named or next((name for name in (WHOLE, INDEX) if name in self.listing), None)
        entry = entry or pickled_entry(list(self.listing))
        if entry is None or entry not in self.listing:
            raise self.no_weights() or WeightsMissing(
                f"{self.hub_id} has no weights on the hub that transformers would load"
                + (f": its config.json names {entry}, which is not there." if entry else "."),
                f"See huggingface.co/{self.hub_id}/tree/main.",
            )
        if not entry.endswith(".json"):
            return (self.listing[entry],)
        index = self.listing[entry]
        self.bring([index])
        names = shard_names(folder / entry, ".bin" if entry == PICKLED_INDEX else ".safetensors")
        gone = [name for name in names if name not in self.listing]
        if gone:
            raise WeightsMissing(
                f"{self.hub_id} lacks {len(gone)} of the {len(names)} weight files that its {entry} names, first {gone[0]}; "
                "nothing of them was fetched.",
                f"Its authors have to put it there; see huggingface.co/{self.hub_id}/tree/main.",
            )
        return tuple(self.listing[name] for name in names)

    def no_weights(self) -> InputError | None:
        """What the repository holds instead of weights that are read; None where nothing says so."""
        return self.adapter() or foreign_weights(list(self.listing), self.hub_id, hub=True)

    def adapter(self) -> InputError | None:
        """Why a repository with an adapter is not run; None where it has none."""
        if ADAPTER not in self.listing or self.offline:
            return None
        self.bring([self.listing[ADAPTER]])
        said = json_object(self.repository.snapshot(self.commit) / ADAPTER)
        tokenizer = "tokenizer.json" in self.listing or "tokenizer_config.json" in self.listing
        weights = WHOLE in self.listing or INDEX in self.listing
        return adapter_of(said, self.hub_id, tokenizer, weights)


def small_names(names: Iterable[str]) -> list[str]:
    """The small files among the names of a repository; what weights are made of is none, whatever it is called."""
    return sorted(
        name
        for name in names
        if not name.endswith(WEIGHTS_ENDINGS)
        and any(name.count("/") == pattern.count("/") and fnmatchcase(name, pattern) for pattern in SMALL)
    )


def _small(listing: Mapping[str, HubFile]) -> list[HubFile]:
    return [listing[name] for name in small_names(listing)]


def _out_of_reach(ref: ModelRef, reason: str) -> HubUnreachable:
    """The hub is out of reach, and the cache is not enough."""
    hub_id, revision = ref.hub
    near = near_registry_name(hub_id) if ref.entry is None else None
    hint = f"Did you mean '{near}'? " if near else ""
    which = f"{hub_id} at {revision[:12]}" if revision and COMMIT.fullmatch(revision) else hub_id
    download = shlex.join(["hf", "download", hub_id, *(["--revision", revision] if revision else [])])
    return HubUnreachable(
        f"{which} is neither a folder here nor whole in the hub's cache, and the hub cannot be reached ({reason}).",
        f"{hint}Give --model a local folder, or run again with the network up (`minizoo doctor` checks it); `{download}` on a "
        "machine that reaches it fills a cache that can be copied.",
    )
