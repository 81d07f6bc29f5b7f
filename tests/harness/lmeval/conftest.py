"""`MinizooLM` and lm-eval's own HFLM over the tiny trained model, each opened once for all tests of the drop-in."""

import pytest
from support.chat_template import copy_with_chat_template
from support.drop_in import Opened, Spy


@pytest.fixture(scope="session")
def opened(stories):
    return Opened(stories)


@pytest.fixture(scope="session")
def chatty(stories, tmp_path_factory):
    """The same model with a chat template that takes no system turn."""
    return Opened(copy_with_chat_template(stories, tmp_path_factory.mktemp("chat") / "tuned"))


@pytest.fixture
def lm(opened):
    """Ours with no count and no cache of an earlier test."""
    from lm_eval.api.model import CacheHook

    lm = opened("minizoo")
    lm.truncated.clear()
    lm.set_cache_hook(CacheHook(None))
    return lm


@pytest.fixture
def spied(lm, monkeypatch):
    spy = Spy(lm.engine)
    monkeypatch.setattr(lm, "engine", spy)
    return spy
