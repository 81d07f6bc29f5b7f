"""A served table, and the backend that asks it."""

from contextlib import ExitStack
from functools import partial

import pytest
from support.served_model import serving
from support.served_model_small import Letters, Table, small_checkpoint

from backends.contract import Options
from backends.openai import backend as backend_module
from backends.openai import client
from backends.openai.backend import ServedBackend
from backends.openai.waiting import Waiting


@pytest.fixture
def table():
    return Table()


@pytest.fixture
def no_keys(monkeypatch):
    for name in ("OPENAI_API_KEY", "MINIZOO_ENDPOINT_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def opened(table, no_keys, monkeypatch):
    """Open the backend on a server of that behaviour; returns it, with what the server does. Pauses are short."""
    monkeypatch.setattr(backend_module, "Waiting", partial(Waiting, first=0.001))
    monkeypatch.setattr(client, "CONNECT_SECONDS", 2.0)
    with ExitStack() as stack:

        def call(checkpoint=None, engine=None, name="", model=None, **words):
            url, does = stack.enter_context(serving(model or table, **words))
            options = Options(endpoint=url + name, engine=engine or {})
            backend = ServedBackend(checkpoint or small_checkpoint(), options, Letters())
            stack.callback(backend.close)
            return backend, does

        yield call
