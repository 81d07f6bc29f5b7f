"""Where a model is served: a URL that is checked before anything is sent to it, and the key that goes with it."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from zoo.errors import InvalidEndpoint

KEY_OF_ENDPOINT = "MINIZOO_ENDPOINT_KEY"
"""Environment variable with the key of the server that `--endpoint` names: sent to it whatever the scheme."""
KEY_OF_OPENAI = "OPENAI_API_KEY"
"""The variable that most clients read: sent over https, and over http to this machine alone."""
PORTS = {"http": 80, "https": 443}
SERVED = "served"
"""The device of a served model: whichever it is, it may be another machine's, and nothing is known of it."""


@dataclass(frozen=True)
class Endpoint:
    """A server's address in parts. `key` is in no text that this class makes of itself."""

    scheme: str
    host: str
    port: int
    root: str
    """The path before `/v1`: empty, or of a server behind a proxy."""
    model: str | None = None
    """The name that the user gave behind `#`: which of the served models is meant."""
    key: str | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """The address as messages have it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.root}"

    def redacted(self, text: str) -> str:
        """A server's words without the key, should it repeat it."""
        return text.replace(self.key, "[key]") if self.key else text


def endpoint_of(url: str | None, environment: Mapping[str, str] | None = None) -> Endpoint:
    """The endpoint of `http(s)://HOST[:PORT][/PATH][/v1][#NAME]`, its key from the environment (None: this process's).

    Raises InvalidEndpoint, which never repeats a password, for all else.
    """
    hint = "Give --endpoint http://HOST:PORT, with #NAME where the server serves several models."
    if not url:
        raise InvalidEndpoint("The openai backend asks a server, and no --endpoint says where it is.", hint)
    parts = _split(url, hint)
    if parts.username is not None or parts.password is not None or parts.query:
        raise InvalidEndpoint(
            f"The --endpoint for {parts.hostname} has a user, a password or a query in it, which would stand in records.",
            f"Put the key into {KEY_OF_ENDPOINT} or {KEY_OF_OPENAI}, and leave the address alone.",
        )
    root = parts.path.rstrip("/").removesuffix("/v1")
    scheme, host = parts.scheme.lower(), parts.hostname or ""
    key = _key(scheme, host, os.environ if environment is None else environment)
    return Endpoint(scheme, host, parts.port or PORTS[scheme], root, unquote(parts.fragment) or None, key)


def _split(url: str, hint: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        said, host = parts.port, parts.hostname
    except ValueError:
        raise InvalidEndpoint("The --endpoint is no URL that can be read.", hint) from None
    plain = all(33 <= ord(letter) < 127 for letter in url.partition("#")[0])
    if parts.scheme.lower() not in PORTS or not host or said == 0 or not plain:
        shown = "" if "@" in url else f" '{url[:100]}'"
        raise InvalidEndpoint(f"The --endpoint{shown} is no http or https URL with a host.", hint)
    return parts


def _key(scheme: str, host: str, environment: Mapping[str, str]) -> str | None:
    """The key for this host; the general one is not sent in the clear over a network."""
    key = environment.get(KEY_OF_ENDPOINT, "").strip()
    if not key and (scheme == "https" or _is_here(host)):
        key = environment.get(KEY_OF_OPENAI, "").strip()
    if key and not all(33 <= ord(letter) < 127 for letter in key):
        raise InvalidEndpoint(
            f"The key in {KEY_OF_ENDPOINT} or {KEY_OF_OPENAI} has characters that no header can carry.", "Set it anew."
        )
    return key or None


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
