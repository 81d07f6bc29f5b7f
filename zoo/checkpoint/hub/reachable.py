"""Whether the hub can be reached, within a second and asked once a process. Imports no client, so it can be asked first."""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
import urllib.request
from collections.abc import Callable
from functools import cache
from urllib.parse import SplitResult, unquote, urlsplit

SECONDS = "MINIZOO_HUB_SECONDS"
"""Variable that says how long the hub is waited for, on a slow network."""
USUAL_SECONDS = 1.0
PORTS = {"http": 80, "https": 443, "socks": 1080, "socks4": 1080, "socks5": 1080, "socks5h": 1080}


def hub_reachable() -> bool:
    """Whether the hub (HF_ENDPOINT, through HTTPS_PROXY where one is set) takes a connection, and HF_HUB_OFFLINE is not set."""
    return why_unreachable() is None


def why_unreachable() -> str | None:
    """Why the hub cannot be reached, in a few words; None where it can. Asked once a process and endpoint."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "it is not to be asked: HF_HUB_OFFLINE, or a dry run"
    return _asked(constants.ENDPOINT)()


def ask_early() -> None:
    """Begin to ask, and go on: the answer is there, or nearly so, when `hub_reachable` is called."""
    from huggingface_hub import constants

    if not constants.HF_HUB_OFFLINE:
        _asked(constants.ENDPOINT)


def ask_again() -> None:
    """Forget what was answered: the network may be another by now."""
    _asked.cache_clear()


def seconds() -> float:
    """How long the hub is waited for."""
    try:
        return max(0.1, min(60.0, float(os.environ.get(SECONDS, USUAL_SECONDS))))
    except ValueError:
        return USUAL_SECONDS


@cache
def _asked(endpoint: str) -> Callable[[], str | None]:
    """Ask in a thread, as a look-up of a name cannot be given a limit; what comes back waits for the rest of the time."""
    answers: list[str | None] = []
    limit, began = seconds(), time.monotonic()
    asking = threading.Thread(target=lambda: answers.append(_ask(endpoint, limit)), daemon=True)
    asking.start()

    def answer() -> str | None:
        asking.join(max(0.0, began + limit - time.monotonic()))
        return answers[0] if answers else f"no answer within {limit:g} s; {SECONDS} sets another limit"

    return answer


def _ask(endpoint: str, limit: float) -> str | None:
    """What went wrong with a connection to the endpoint, or nothing."""
    target = urlsplit(endpoint)
    host = target.hostname or ""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(target.scheme) or proxies.get("all")
    if proxy and host and not urllib.request.proxy_bypass(host):
        way = urlsplit(proxy if "//" in proxy else f"http://{proxy}")
        told = f"proxy {way.hostname}"
    else:
        way, told = target, host
    try:
        with socket.create_connection((way.hostname or "", _port(way)), timeout=limit) as connection:
            through = way is not target and way.scheme.startswith("http") and target.scheme == "https"
            return _through(connection, way, f"{host}:{_port(target)}") if through else None
    except socket.gaierror:
        return f"the name {told} is not known here"
    except TimeoutError:
        return f"{told} gives no answer within {limit:g} s; {SECONDS} sets another limit"
    except (OSError, ValueError) as error:
        return f"{told}: {getattr(error, 'strerror', None) or error}"


def _port(way: SplitResult) -> int:
    return way.port or PORTS.get(way.scheme, 443)


def _through(connection: socket.socket, proxy: SplitResult, target: str) -> str | None:
    """Whether the proxy reaches the target: a tunnel is asked for, as the client will."""
    words = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.username:
        known = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        words.append(f"Proxy-Authorization: Basic {base64.b64encode(known.encode()).decode()}")
    connection.sendall("\r\n".join([*words, "", ""]).encode())
    status = connection.recv(64).decode("latin-1").split(" ")
    if len(status) > 1 and status[1].isdigit() and int(status[1]) < 300:
        return None
    return f"the proxy {proxy.hostname} answers {' '.join(status[1:2]) or 'nothing'}"
