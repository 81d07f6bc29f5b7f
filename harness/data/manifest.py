"""What a mirror should hold for a suite, and whether it does: `DIR/mirror.json` has a digest for each file that was pulled."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from harness.data.mirror import evaluated_split, fewshot_split, read_rows
from zoo.errors import InvalidData, InvalidTask
from zoo.files import write_atomically

MANIFEST = "mirror.json"
SCHEMA = "minizoo.mirror/1"
HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
PART = re.compile(r"\w[\w.+ -]*")
LOCAL_FORMATS = {"json", "csv", "parquet", "text", "arrow", "webdataset"}
"""What `datasets` takes for a data set's id where a task's YAML brings files of its own."""

State = Literal["whole", "by hand", "changed", "broken", "missing"]
GOOD: tuple[State, ...] = ("whole", "by hand")


@dataclass(frozen=True, order=True)
class Needed:
    """One file that tasks of a suite read."""

    dataset: str
    config: str
    split: str
    tasks: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Where it is in a mirror."""
        return Path(self.dataset, self.config, f"{self.split}.jsonl")


@dataclass(frozen=True)
class Pulled:
    """What the manifest says of a file."""

    sha256: str
    rows: int
    revision: str
    """The hub's commit that it was made from."""
    licence: str
    """As the data set's card states it; `not stated` where it does not."""


@dataclass(frozen=True)
class Held:
    """A file that is needed, and what the mirror has of it."""

    needed: Needed
    state: State
    """`by hand`: it reads well, and the manifest does not know it; `changed`: it is not what was pulled."""
    reason: str = ""
    rows: int | None = None
    licence: str = "unknown"
    revision: str | None = None

    @property
    def good(self) -> bool:
        """Whether a task can read it."""
        return self.state in GOOD


def needed_files(configs: Iterable[Mapping[str, Any]]) -> list[Needed]:
    """The files that leaf tasks of these configurations (lm-eval's YAML, with their shots) read, in order.

    Raises InvalidTask for a data set's name that would be no path inside the mirror.
    """
    tasks: dict[Needed, list[str]] = {}
    for config in configs:
        dataset = config.get("dataset_path")
        if not dataset or config.get("custom_dataset") or dataset in LOCAL_FORMATS:
            continue
        splits = {evaluated_split(config), fewshot_split(config) if config["num_fewshot"] else None}
        for split in sorted(filter(None, splits)):
            needed = Needed(dataset, config.get("dataset_name") or "default", split)
            if not (HUB_ID.fullmatch(dataset) and PART.fullmatch(needed.config) and PART.fullmatch(split)):
                raise InvalidTask(
                    f"Task {config['task']} names the data {needed.path}, which is no data set of the hub.",
                    "Correct `dataset_path`, `dataset_name` and the splits of its YAML.",
                )
            tasks.setdefault(needed, []).append(config["task"])
    return [Needed(n.dataset, n.config, n.split, tuple(dict.fromkeys(named))) for n, named in sorted(tasks.items())]


def check_mirror(data: Path, needed: Sequence[Needed]) -> list[Held]:
    """Read every file that is needed and compare it with the manifest. Writes nothing."""
    pulled = read_manifest(data)
    return [_held(data, one, pulled.get(one.path.as_posix())) for one in needed]


def read_manifest(data: Path) -> dict[str, Pulled]:
    """Path → what was pulled; nothing where there is no manifest, InvalidData where it is not one."""
    path = data / MANIFEST
    try:
        read = json.loads(path.read_text("utf-8"))
        return {name: Pulled(**entry) for name, entry in read["files"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError, NotADirectoryError) as error:
        raise InvalidData(
            f"{path} is not a mirror's manifest ({type(error).__name__}: {error}).",
            "Delete it: `minizoo data pull` then fetches what it cannot vouch for.",
        ) from None


def write_manifest(data: Path, pulled: dict[str, Pulled]) -> None:
    """Write the manifest, whole or not at all."""
    files: dict[str, Any] = {name: asdict(entry) for name, entry in sorted(pulled.items())}
    write_atomically(data / MANIFEST, (json.dumps({"schema": SCHEMA, "files": files}, indent=1) + "\n").encode())


def _held(data: Path, needed: Needed, entry: Pulled | None) -> Held:
    path = data / needed.path
    if not path.is_file():
        return Held(needed, "missing", "it is not there")
    if entry is None:
        try:
            return Held(needed, "by hand", rows=len(read_rows(path)))
        except (InvalidData, UnicodeDecodeError) as error:
            return Held(needed, "broken", getattr(error, "what", str(error)))
    with path.open("rb") as file:
        same = hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    reason = "" if same else "its sha256 is not the one that was pulled"
    return Held(needed, "whole" if same else "changed", reason, entry.rows, entry.licence, entry.revision)
