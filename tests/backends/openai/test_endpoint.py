"""Addresses of served models: what is one, what is none, and which key goes where."""

import pytest

from backends.openai.endpoint import endpoint_of
from zoo.errors import InvalidEndpoint

BOTH = {"OPENAI_API_KEY": "general", "MINIZOO_ENDPOINT_KEY": "own"}
GENERAL = {"OPENAI_API_KEY": "general"}


@pytest.mark.parametrize(
    ("url", "shown", "model"),
    [
        ("http://localhost:8000", "http://localhost:8000", None),
        ("http://localhost:8000/v1/", "http://localhost:8000", None),
        ("HTTPS://models.example", "https://models.example:443", None),
        ("https://models.example/a/b/v1#nvidia/Minitron", "https://models.example:443/a/b", "nvidia/Minitron"),
        ("http://[::1]:8000#a%20b", "http://[::1]:8000", "a b"),
    ],
)  # fmt: skip
def test_addresses(url, shown, model):
    endpoint = endpoint_of(url, {})
    assert (endpoint.shown, endpoint.model, endpoint.key) == (shown, model, None)


@pytest.mark.parametrize(
    "url",
    [
        None, "", "localhost:8000", "ftp://host", "file:///etc/passwd", "http://", "http://host:0", "http://host:99999",
        "http://host:port", "http://ho st", "http://host/\r\nX: y", "http://[::1", "unix:///run/x", "http://host/ü",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(url):
    with pytest.raises(InvalidEndpoint):
        endpoint_of(url, {})


@pytest.mark.parametrize(
    "url", ["http://me:hunter2@host", "https://hunter2@host/v1", "http://host/?key=hunter2", "ftp://a:hunter2@host"]
)
def test_an_address_with_a_password_is_refused_without_repeating_it(url):
    with pytest.raises(InvalidEndpoint) as raised:
        endpoint_of(url, {})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "environment", "key"),
    [
        ("http://localhost:1", GENERAL, "general"),
        ("http://127.0.0.9:1", GENERAL, "general"),
        ("http://[::1]:1", GENERAL, "general"),
        ("https://models.example", GENERAL, "general"),
        ("http://models.example", GENERAL, None),
        ("http://10.0.0.1:8000", BOTH, "own"),
        ("https://models.example", BOTH, "own"),
    ],
)
def test_the_general_key_does_not_cross_a_network_in_the_clear(url, environment, key):
    endpoint = endpoint_of(url, environment)
    assert endpoint.key == key
    assert "general" not in repr(endpoint)


def test_a_key_that_no_header_can_carry_is_refused():
    with pytest.raises(InvalidEndpoint) as raised:
        endpoint_of("https://host", {"OPENAI_API_KEY": "se\ncret"})
    assert "cret" not in str(raised.value).replace("secret", "")
