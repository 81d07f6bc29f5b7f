"""The way into a Ray cluster: found, asked whether it answers, joined as a driver. The only importer of ray's own inside."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ClusterUnreachable, InvalidOption, PackageMissing, one_line

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""What begins every talk with a gRPC server: HTTP/2's preface and empty settings (RFC 9113, 3.4)."""
SETTINGS_FRAME = 4
CURRENT = Path("/tmp/ray/ray_current_cluster")
"""Where Ray writes down the cluster that was last started on a machine."""
START_IT = "Start one (`ray start --head`), or name another: `--ray HOST:PORT`, or `auto` for the one on this machine."


@dataclass(frozen=True)
class Node:
    """A machine of the cluster that is alive."""

    id: str
    host: str
    resources: Mapping[str, float]
    """All that it has, whether or not it is in use."""

    def has(self, wanted: Mapping[str, float]) -> bool:
        """Whether it could ever run what asks for that."""
        return all(self.resources.get(name, 0.0) >= amount for name, amount in wanted.items())


def load_ray() -> Any:
    """The module. PackageMissing where it is not installed."""
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise PackageMissing(
            f"`--ray` needs the package ray, which is not installed here ({one_line(error)}).",
            'Install it on every node: `pip install "minizoo[cluster]"`.',
        ) from None


def join(address: str, seconds: float = ANSWER_SECONDS) -> Any:
    """Connect this process to the cluster at HOST:PORT, or to this machine's (`auto`); the module to talk to it by.

    A process that is connected stays so. Handlers of signals stay this process's own, and what Ray has to say goes into the
    log. Raises PackageMissing, InvalidOption for what is no address, and ClusterUnreachable.
    """
    ray = load_ray()
    if ray.is_initialized():
        return ray
    where = _resolved(ray, address)
    _check_answers(where, seconds)
    _hear_quietly()
    try:
        with _signals_kept():
            ray.init(address=where, log_to_driver=False, configure_logging=False, logging_level=logging.ERROR)
    except (
        Exception
    ) as error:  # Ray raises of many classes: other versions, no node of it on this machine, a broken one
        raise ClusterUnreachable(
            f"The Ray cluster at {where} does not take this process in ({type(error).__name__}: {one_line(error)}).",
            f"minizoo must run on a machine of the cluster (`ray start --address {where}`), with the same Ray and Python.",
        ) from None
    return ray


def alive_nodes(ray: Any) -> list[Node]:
    """The nodes that the cluster has now."""
    return [
        Node(str(one["NodeID"]), str(one["NodeManagerHostname"]), dict(one["Resources"]))
        for one in ray.nodes()
        if one["Alive"]
    ]


def cluster_here() -> str | None:
    """The address that `auto` means, where a cluster answers there; ray is not imported for it."""
    address = os.environ.get("RAY_ADDRESS", "")
    try:
        address = address or CURRENT.read_text("utf-8").strip()
        _check_answers(address, ANSWER_SECONDS)
    except (OSError, ClusterUnreachable):
        return None
    return address


def _resolved(ray: Any, address: str) -> str:
    """HOST:PORT of what the word means."""
    if "://" in address:
        raise InvalidOption(
            f"--ray {address} is the address of a Ray client server, and minizoo runs on a machine of the cluster itself.",
            "Run it there with HOST:PORT or `auto`, e.g. by `ray job submit`.",
        )
    services: Any = importlib.import_module("ray._private.services")
    try:
        found: str | None = services.canonicalize_bootstrap_address(address)
    except ConnectionError:
        found = None
    except (ValueError, OSError) as error:
        raise InvalidOption(
            f"--ray {address} is no address ({one_line(error)}).", "Write HOST:PORT, or auto."
        ) from None
    if found is None:
        raise ClusterUnreachable("No Ray cluster runs on this machine, and RAY_ADDRESS names none.", START_IT)
    return found


def _check_answers(address: str, seconds: float) -> None:
    """ClusterUnreachable unless a gRPC server is there: Ray itself would wait for minutes, and then end the process."""
    if os.environ.get("RAY_USE_TLS") == "1":
        return
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), seconds) as there:
            there.settimeout(seconds)
            there.sendall(PREFACE)
            said = there.recv(9)
    except (OSError, ValueError) as error:
        raise ClusterUnreachable(f"No Ray cluster answers at {address} ({one_line(error)}).", START_IT) from None
    if len(said) < 4 or said[3] != SETTINGS_FRAME:
        raise ClusterUnreachable(f"What answers at {address} is no Ray cluster.", START_IT)


@contextmanager
def _signals_kept() -> Generator[None]:
    """Ray sets a handler of its own for SIGTERM, which would end a night without a word."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _hear_quietly() -> None:
    """Ray prints what befalls nodes, hundreds of lines of it, to stdout, where `--json` is; there is no option against it.

    Tested in tests/harness/fleet/ray: a node is killed and stdout stays empty. Delete it when ray.init can be told.
    """
    worker: Any = importlib.import_module("ray._private.worker")
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = _into_the_log


def _into_the_log(data: Mapping[str, Any], ignore_prefix: bool = False) -> None:
    log.info("ray: %s", " / ".join(map(str, data.get("lines", ())))[:2000])
