"""A model's repository as the hub tells of it: what it is called now, which commit is meant, and what is in that commit."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from zoo.checkpoint.hub.cache import COMMIT, HubFile
from zoo.checkpoint.hub.client import Unanswered, asked
from zoo.checkpoint.hub.refusals import refusal
from zoo.errors import HubFailing, HubUnreachable

DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')


@dataclass(frozen=True)
class Described:
    """What the hub says of a repository at a revision."""

    id: str
    """Its name now; another than was asked for where it was renamed."""
    commit: str


def describe(hub_id: str, revision: str | None) -> Described:
    """Name and commit. Raises RepositoryMissing, HubUnreachable, HubBusy, HubFailing and TokenRefused."""
    rev = f"/revision/{quote(revision, safe='')}" if revision else ""
    told, _ = _json(f"/api/models/{quote(hub_id)}{rev}", hub_id, revision)
    try:
        name, commit = str(told["id"]), str(told["sha"])
    except (KeyError, TypeError):
        name, commit = "", ""
    if not COMMIT.fullmatch(commit):
        raise _no_hub(hub_id)
    return Described(name, commit)


def list_files(hub_id: str, commit: str) -> dict[str, HubFile]:
    """Every file of a commit by its name. Raises as `describe`, and RepositoryGated."""
    files: dict[str, HubFile] = {}
    page: str | None = f"/api/models/{quote(hub_id)}/tree/{commit}?recursive=true&expand=false"
    while page:
        rows, link = _json(page, hub_id, commit)
        try:
            found = [_file(row) for row in rows if row["type"] == "file"]
        except (KeyError, TypeError, ValueError):
            raise _no_hub(hub_id) from None
        files.update({file.name: file for file in found})
        following = NEXT.search(link)
        page = following[1] if following else None
    return files


def file_url(hub_id: str, commit: str, name: str) -> str:
    """Where a file is fetched."""
    return f"{_endpoint()}/{quote(hub_id)}/resolve/{commit}/{quote(name)}"


def _file(row: Any) -> HubFile:
    large = row.get("lfs") or {}
    file = HubFile(row["path"], int(large.get("size", row["size"])), row["oid"], large.get("oid"), row.get("xetHash"))
    if not (DIGEST.fullmatch(file.git) and (file.sha256 is None or DIGEST.fullmatch(file.sha256))):
        raise ValueError(row)
    return file


def _json(path: str, hub_id: str, revision: str | None) -> tuple[Any, str]:
    """What the hub answers, and its Link header."""
    try:
        with asked(path if "://" in path else _endpoint() + path) as response:
            if response.status_code != 200:
                raise refusal(response, hub_id, revision)
            body = b"".join(response.iter_bytes())
            return json.loads(body), response.headers.get("Link") or ""
    except Unanswered as error:
        raise HubUnreachable(
            f"The hub gave no answer for {hub_id} ({error}).",
            "Run again with the network up (`minizoo doctor` checks it).",
        ) from None
    except ValueError:
        raise _no_hub(hub_id) from None


def _no_hub(hub_id: str) -> HubFailing:
    return HubFailing(
        f"{_endpoint()} answers for {hub_id} as no hub does.",
        "HF_ENDPOINT may name another server, or a page that wants a login stands before the network.",
    )


def _endpoint() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT
