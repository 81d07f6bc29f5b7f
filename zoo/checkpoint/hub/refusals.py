"""What the hub refuses, as an error with a cause of its own and the next thing to do."""

from __future__ import annotations

from typing import Any

from zoo.checkpoint.hub.client import has_token, waiting_time
from zoo.errors import (
    HubBusy,
    HubFailing,
    MinizooError,
    RepositoryGated,
    RepositoryMissing,
    TokenRefused,
)

PAGE = "huggingface.co"
LOG_IN = "`hf auth login` (or the variable HF_TOKEN)"


def refusal(response: Any, hub_id: str, revision: str | None, file: str | None = None) -> MinizooError:
    """The error of an answer that is no success. `file` is what was asked for, where it was a file."""
    code, said = response.headers.get("X-Error-Code"), _said(response)
    what = f"{file} of {hub_id}" if file else hub_id
    status: int = response.status_code
    if said == "Invalid credentials in Authorization header":
        return TokenRefused(
            f"The hub does not know the token of this machine, so it gave nothing of {hub_id}.",
            f"Log in anew with {LOG_IN}, or `hf auth logout` for what is public.",
        )
    if code == "GatedRepo":
        return _gated(hub_id, what, status, said)
    if code == "RevisionNotFound":
        return RepositoryMissing(
            f"{hub_id} has no revision {revision} on the hub.",
            f"{PAGE}/{hub_id}/commits/main lists its commits; the one of a registry model stands in registry.yaml.",
        )
    if code == "EntryNotFound":
        return RepositoryMissing(f"{what} is not on the hub at revision {revision}.", f"See {PAGE}/{hub_id}/tree/main.")
    if said == "Access to this resource is disabled.":
        return RepositoryMissing(
            f"{hub_id} was disabled on the hub: nobody can fetch it.", "Give --model a folder that holds it."
        )
    if status == 429:
        return HubBusy(
            f"The hub limits how often it is asked, and refuses {what} for now (429).",
            f"Run the same command again in {_duration(waiting_time(response))}; what was fetched is kept."
            + ("" if has_token() else f" With a token the limit is higher: {LOG_IN}."),
        )
    if code == "RepoNotFound" or status in (401, 404):
        return _missing(hub_id)
    if status == 403:
        return RepositoryGated(
            f"The hub keeps {what} from this machine (403{f': {said}' if said else ''}).",
            f"See {PAGE}/{hub_id} in a browser, and that the token of {LOG_IN} may read it.",
        )
    return HubFailing(
        f"The hub answers {status}{f' ({said})' if said else ''} for {what}.",
        "The fault is the hub's, or that of what stands before it: run the same command again later; what was fetched is kept.",
    )


def _gated(hub_id: str, what: str, status: int, said: str) -> RepositoryGated:
    """The three ways of being kept from a gated repository."""
    page = f"{PAGE}/{hub_id}"
    if status == 401 or not has_token():
        return RepositoryGated(
            f"{hub_id} is gated on the hub, and this machine is not logged in ({what} was refused).",
            f"Accept its licence at {page} in a browser, then log in with {LOG_IN}.",
        )
    if "awaiting a review" in said:
        return RepositoryGated(
            f"{hub_id} is gated on the hub, and its authors have not answered your request yet ({what} was refused).",
            f"Wait for them; {page} shows how it stands.",
        )
    return RepositoryGated(
        f"{hub_id} is gated on the hub, and the account of this machine's token has not accepted its licence "
        f"({what} was refused).",
        f"Accept it at {page} in a browser, with the same account; a fine-grained token must also be allowed to read "
        "gated repositories.",
    )


def _missing(hub_id: str) -> RepositoryMissing:
    """The hub does not tell a stranger what is gone from what is private."""
    if has_token():
        return RepositoryMissing(
            f"The hub has no model {hub_id} that the account of this machine's token may see, and there is no such folder "
            "here.",
            "It is gone, private to others, or its name is another.",
        )
    return RepositoryMissing(
        f"The hub has no model {hub_id}, or it is private, and there is no such folder here.",
        f"If it is private, log in first: {LOG_IN}.",
    )


def _said(response: Any) -> str:
    """What the hub says in its own words, in one line."""
    return " ".join(str(response.headers.get("X-Error-Message") or "").split())[:160]


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "a few minutes"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
