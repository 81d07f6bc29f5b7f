"""Filling a mirror from the hub: every data set's own Parquet export, written as JSON lines, with a digest a file.

The hub exports every public data set to Parquet on the branch `refs/convert/parquet`, `<config>/<split>/NNNN.parquet`. Taking
that means that no data set's script is ever run, and that data sets which `datasets` no longer loads can be had as well.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from harness.data.manifest import Held, Needed, Pulled, check_mirror, read_manifest, write_manifest
from zoo.checkpoint.hub.reachable import why_unreachable
from zoo.errors import Busy, HubUnreachable, one_line
from zoo.files import check_writable

EXPORT = "refs/convert/parquet"
BATCH_ROWS = 1000
GOES_ON = "What was fetched is kept: the same command goes on with the network up. `minizoo data check` lists what is missing."

Tell = Callable[[str], None]


class NotOnHub(Exception):
    """The hub answers, and does not have this; the message says what."""


def pull(data: Path, needed: Sequence[Needed], tell: Tell, by_hand: bool = True, wait: float = 0.0) -> list[Held]:
    """Fetch what the mirror lacks or cannot vouch for, and say what it holds then.

    Files that are whole are not fetched again, so an interrupted pull goes on where it stopped (inside a data set the
    hub's own cache keeps the Parquet files that came whole). Files put there by hand stay as long as they read, but not without
    `by_hand`. A data set that the hub does not give is told and left out. Another process that is filling the mirror is waited
    for, `wait` seconds.
    Raises HubUnreachable, NotWritable where the folder takes no file, and Busy where the other process is not done.
    """
    check_writable(data)
    try:
        with FileLock(data / ".mirror.lock", timeout=wait):
            held = check_mirror(data, needed)
            missing = [one.needed for one in held if not (one.good if by_hand else one.state == "whole")]
            for dataset, files in groupby(missing, key=lambda one: one.dataset):
                _pull_dataset(data, dataset, list(files), tell)
    except Timeout:
        raise Busy(
            f"Another minizoo process is filling {data}.", "Wait for it; `minizoo data check` says how far it is."
        ) from None
    return check_mirror(data, needed)


def _pull_dataset(data: Path, dataset: str, files: Sequence[Needed], tell: Tell) -> None:
    tell(f"{dataset}: fetching {len(files)} {'file' if len(files) == 1 else 'files'}")
    try:
        export, licence = _fetch(dataset, files)
    except NotOnHub as missing:
        tell(f"{dataset}: {missing}")
        return
    for needed in files:
        try:
            parts = _parts(export, needed)
            digest, rows = _write_lines(data / needed.path, _rows(parts))
        except NotOnHub as missing:
            tell(f"{needed.path}: {missing}")
            continue
        entry = Pulled(digest, rows, export.name, licence)
        write_manifest(data, {**read_manifest(data), needed.path.as_posix(): entry})


def _fetch(dataset: str, files: Sequence[Needed]) -> tuple[Path, str]:
    """The folder of the data set's export, holding at least these files, and its licence."""
    from huggingface_hub import HfApi, errors, snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    if (unreachable := why_unreachable()) is not None:
        raise HubUnreachable(f"The hub cannot be reached for {dataset} ({unreachable}).", GOES_ON)
    # A data set of one configuration without a name has it under `default`, or under a name that its card gives.
    wanted = [f"{'*' if one.config == 'default' else one.config}/{one.split}/*.parquet" for one in files]
    try:
        card = HfApi().dataset_info(dataset).card_data
        export = snapshot_download(dataset, repo_type="dataset", revision=EXPORT, allow_patterns=wanted)
    except errors.GatedRepoError:
        raise NotOnHub(
            f"it is gated. Accept its licence at huggingface.co/datasets/{dataset}, run `hf auth login`, and pull again."
        ) from None
    except errors.RepositoryNotFoundError:
        raise NotOnHub("the hub has no such data set, or it is private.") from None
    except errors.RevisionNotFoundError:
        raise NotOnHub("the hub has no Parquet export of it; put its files there by hand.") from None
    except Exception as error:
        if not _is_network(error):
            raise
        raise HubUnreachable(
            f"The hub cannot be reached for {dataset} ({type(error).__name__}: {one_line(error)[:160]}).",
            GOES_ON,
        ) from None
    stated: Any = card.get("license") if card else None
    licence = ", ".join(stated) if isinstance(stated, list) else stated
    return Path(export), licence or "not stated"


def _is_network(error: Exception) -> bool:
    """Whether the hub or the network is at fault, and not this machine (a full disk) or minizoo."""
    if isinstance(error, OSError) and not isinstance(error, ConnectionError):
        return error.errno is None
    return isinstance(error, OSError) or type(error).__module__.split(".")[0] in ("httpx", "httpx2", "huggingface_hub")


def _parts(export: Path, needed: Needed) -> list[Path]:
    """The Parquet files of one split, in order."""
    folder = export / needed.config / needed.split
    if not folder.is_dir() and needed.config == "default":
        named = sorted(export.glob(f"*/{needed.split}"))
        if len(named) > 1:
            raise NotOnHub(
                f"it has several configurations ({', '.join(f.parent.name for f in named)}), and none is default."
            )
        folder = named[0] if named else folder
    parts = sorted(folder.glob("*.parquet"))
    if not parts:
        raise NotOnHub("the hub's Parquet export has no such configuration and split.")
    return parts


def _rows(parts: Sequence[Path]) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    for part in parts:
        with pq.ParquetFile(part) as file:
            for batch in file.iter_batches(BATCH_ROWS):
                yield from batch.to_pylist()


def _write_lines(path: Path, rows: Iterator[dict[str, Any]]) -> tuple[str, int]:
    """Write the rows, whole or not at all; returns the file's sha256 and the number of rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    digest, count = hashlib.sha256(), 0
    try:
        with part.open("wb") as file:
            for row in rows:
                line = (json.dumps(row, ensure_ascii=False, default=str) + "\n").encode()
                digest.update(line)
                file.write(line)
                count += 1
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return digest.hexdigest(), count
