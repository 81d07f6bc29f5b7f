"""The outcomes that ship: of the versions that minizoo is locked to, whole, and passed."""

import re

import pytest
from support.paths import ROOT

from backends.conformance import shipped as module
from backends.conformance.shipped import shipped
from backends.conformance.table import CHECKS
from zoo.errors import BrokenInstallation

LOCKED = dict(re.findall(r"^(\w+)==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("backend", ["hf", "pruned"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_locked_versions_are_covered(backend, dtype):
    engine = f"torch {LOCKED['torch']}, transformers {LOCKED['transformers']}"
    found = [one for one in shipped() if (one.key.backend, one.key.dtype, one.key.engine) == (backend, dtype, engine)]
    assert {one.key.device for one in found} == {"cpu"}, "python -m backends.conformance.ship"
    assert "LlamaForCausalLM" in {one.key.architecture for one in found}


def test_every_check_was_asked_and_none_failed():
    for one in shipped():
        assert (one.depth, one.passed) == ("full", True)
        assert [check.check for check in one.checks] == [check.name for check in CHECKS]
        assert {check.check: check.said for check in one.checks if check.verdict == "skip"} == {}


def test_a_file_that_cannot_be_read_is_a_broken_installation(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FILE", tmp_path / "absent.json")
    shipped.cache_clear()
    with pytest.raises(BrokenInstallation, match="Install minizoo again"):
        shipped()
    shipped.cache_clear()
