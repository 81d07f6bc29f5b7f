"""Requests to the hub: by the session of huggingface_hub (its proxies and certificates), patient within bounds, silent."""

from __future__ import annotations

import contextlib
import email.utils
import logging
import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

ANSWERS_WITHIN = 15.0
"""Seconds for an answer to begin, and for the next bytes of it."""
CONNECTS_WITHIN = 10.0
TRIES = 3
"""Of a request that meets a fault of the hub or of the network."""
LONGEST_WAIT = 90.0
"""Seconds that are waited in all, for one request, because the hub limits how often it is asked."""
FAULTS = (408, 500, 502, 503, 504)

log = logging.getLogger(__name__)
Sleep = Callable[[float], None]


class Unanswered(Exception):
    """No answer came: no connection, or one that broke. The message says why."""


@contextmanager
def asked(
    url: str, headers: dict[str, str] | None = None, sleep: Sleep | None = None, tries: int | None = None
) -> Generator[Any]:
    """The open response to a GET of `url`, its body not read yet, whatever its status.

    A 429 is waited for as long as it says, up to LONGEST_WAIT, and told; faults of the hub are asked again. Raises Unanswered
    where no answer came to `tries` requests (TRIES where none are given).
    """
    waited, tried, most = 0.0, 0, TRIES if tries is None else tries
    while True:
        with contextlib.ExitStack() as stack:
            try:
                response = stack.enter_context(_open(url, headers))
            except Exception as error:
                if not is_network(error):
                    raise
                tried += 1
                if tried >= most:
                    raise Unanswered(reason(error)) from error
                pause = float(tried)
            else:
                tried += response.status_code in FAULTS
                pause = _pause(response, waited, tried)
                if pause is None:
                    yield response
                    return
                waited += pause if response.status_code == 429 else 0.0
        (sleep or time.sleep)(pause)


def _pause(response: Any, waited: float, tries: int) -> float | None:
    """Seconds before the same is asked again; None where the response is the answer."""
    status: int = response.status_code
    if status in FAULTS and tries < TRIES:
        return float(tries)
    if status != 429:
        return None
    asks = waiting_time(response)
    pause = (2.0 if asks is None else asks) + 0.5
    if waited + pause > LONGEST_WAIT:
        return None
    log.warning("The hub limits how often it is asked: going on in %.0f s, as it says.", pause)
    return pause


def _open(url: str, headers: dict[str, str] | None) -> Any:
    from huggingface_hub.utils import get_session

    own = {"user-agent": "minizoo", "accept-encoding": "identity", **_authorization(), **(headers or {})}
    timeout = _timeout()
    return get_session().stream("GET", url, headers=own, timeout=timeout)


def _timeout() -> Any:
    return (CONNECTS_WITHIN, ANSWERS_WITHIN, ANSWERS_WITHIN, CONNECTS_WITHIN)  # connect, read, write, pool


def _authorization() -> dict[str, str]:
    token = _token()
    return {"authorization": f"Bearer {token}"} if token else {}


def has_token() -> bool:
    """Whether this machine is logged in."""
    return _token() is not None


def _token() -> str | None:
    from huggingface_hub import constants, get_token

    return None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()


def waiting_time(response: Any) -> float | None:
    """Seconds after which the hub wants to be asked again (Retry-After, else its own RateLimit); None where it says nothing."""
    after = (response.headers.get("Retry-After") or "").strip()
    if after.isdigit():
        return float(after)
    if after and (date := email.utils.parsedate_to_datetime(after) if "," in after else None):
        return max(0.0, date.timestamp() - time.time())
    limit = re.search(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d+)", response.headers.get("RateLimit") or "")
    return float(limit[1]) if limit else None


def is_network(error: Exception) -> bool:
    """Whether an exception is the network's: the client's package is called httpx or httpx2."""
    root = type(error).__module__.split(".")[0]
    return root.startswith(("httpx", "httpcore")) or isinstance(error, ConnectionError | TimeoutError)


def reason(error: Exception) -> str:
    """What the network said, in one line."""
    return " ".join(str(error).split())[:160] or type(error).__name__
