"""The network is kept out for a while, and what was set before holds again."""

import pytest
from datasets import config
from huggingface_hub import constants, is_offline_mode

from harness.data.offline import hub_offline


def fail_offline():
    with hub_offline():
        assert is_offline_mode()
        assert config.HF_HUB_OFFLINE
        raise ZeroDivisionError


@pytest.mark.parametrize("before", [False, True])
def test_the_setting_is_given_back_also_after_an_error(monkeypatch, before):
    for module in (constants, config):
        monkeypatch.setattr(module, "HF_HUB_OFFLINE", before)
    with pytest.raises(ZeroDivisionError):
        fail_offline()
    assert [module.HF_HUB_OFFLINE for module in (constants, config)] == [before, before]
