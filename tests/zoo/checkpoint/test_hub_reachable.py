"""Whether the hub can be reached is known within a second, by the way that the client would take, and asked once."""

import socket
import threading
import time
from contextlib import contextmanager

import pytest
from huggingface_hub import constants

from zoo.checkpoint.hub import reachable
from zoo.checkpoint.hub.reachable import hub_reachable, why_unreachable

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """No proxy of the machine, nothing answered before."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("MINIZOO_HUB_SECONDS", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    reachable.ask_again()
    yield
    reachable.ask_again()


@contextmanager
def listening(answer: bytes = b""):
    """A port that says `answer` to everyone; its number, and what was said to it."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    heard.append(connection.recv(1000) if answer else b"")
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def ask(monkeypatch, endpoint):
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    return why_unreachable()


def test_a_hub_that_takes_connections_is_reachable_and_asked_once(monkeypatch):
    with listening() as (port, heard):
        for _ in range(3):
            assert ask(monkeypatch, f"http://127.0.0.1:{port}") is None
        assert hub_reachable()
        time.sleep(0.05)
        assert len(heard) == 1


def test_a_refused_connection_and_an_unknown_name_say_so(monkeypatch):
    assert "refused" in (ask(monkeypatch, f"http://127.0.0.1:{closed_port()}") or "")
    assert ask(monkeypatch, "https://no.such.host.invalid") is not None


def test_a_name_that_nobody_answers_for_is_given_up_within_the_limit(monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: time.sleep(600))
    monkeypatch.setenv("MINIZOO_HUB_SECONDS", "0.2")
    began = time.monotonic()
    assert "MINIZOO_HUB_SECONDS" in (ask(monkeypatch, "https://silent.invalid") or "")
    assert time.monotonic() - began < 5


def test_offline_mode_asks_nobody(monkeypatch):
    with listening() as (port, heard):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        assert "HF_HUB_OFFLINE" in (ask(monkeypatch, f"http://127.0.0.1:{port}") or "")
        assert heard == []


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (b"200 Connection established", None),
        (b"503 Service Unavailable", "503"),
        (b"407 Authentication required", "407"),
    ],
)
def test_through_a_proxy_a_tunnel_to_the_hub_is_what_counts(monkeypatch, status, says):
    with listening(b"HTTP/1.1 " + status + b"\r\n\r\n") as (port, heard):
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:se%40cret@127.0.0.1:{port}")
        reason = ask(monkeypatch, "https://huggingface.co")
        assert reason is None if says is None else says in (reason or "")
        assert b"CONNECT huggingface.co:443" in heard[0]
        assert b"Proxy-Authorization: Basic bWU6c2VAY3JldA==" in heard[0]
        assert "se@cret" not in (reason or "")


def test_a_host_that_no_proxy_names_is_asked_directly(monkeypatch):
    with listening() as (port, _):
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
        assert "proxy 127.0.0.1" in (ask(monkeypatch, f"http://127.0.0.1:{port}") or "")
        reachable.ask_again()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert ask(monkeypatch, f"http://127.0.0.1:{port}") is None


def test_a_limit_that_is_no_number_is_passed_over(monkeypatch):
    monkeypatch.setenv("MINIZOO_HUB_SECONDS", "soon")
    assert reachable.seconds() == reachable.USUAL_SECONDS
