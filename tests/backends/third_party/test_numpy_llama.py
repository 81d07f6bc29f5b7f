"""A third party's backend, found through the entry point of an installed distribution, passes what every backend must pass."""

import importlib
import shutil
import sys
from pathlib import Path

import pytest

from backends.conformance.key import Key
from backends.conformance.reference import plain_reference
from backends.conformance.run import run_checks
from backends.contract import Backend, GenerateRequest, Options
from backends.opening import backend_names, open_backend
from zoo.checkpoint.locate import locate
from zoo.errors import UnsupportedRequest

MODULE = "numpy_llama"
SOURCE = Path(__file__).parent / f"{MODULE}.py"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """What pip leaves of a package whose pyproject.toml has the entry point of docs/writing-a-backend.md."""
    info = tmp_path / f"{MODULE}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {MODULE}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[minizoo.backends]\nnumpy = {MODULE}:open_numpy\n")
    shutil.copy(SOURCE, tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    yield
    sys.modules.pop(MODULE, None)


def test_a_third_partys_backend_passes_every_check_that_it_can_be_asked(installed):
    assert "numpy" in backend_names()
    teacher = locate("nano-teacher")
    backend = open_backend(teacher, "numpy", Options())
    assert isinstance(backend, Backend)
    outcome = run_checks(backend, teacher, plain_reference(teacher), depth="short")
    assert [(one.check, one.said) for one in outcome.failed()] == []
    skipped = {one.check: one.said for one in outcome.checks if one.verdict == "skip"}
    assert list(skipped) == ["seeds"]
    assert "most probable" in skipped["seeds"]
    assert outcome.passed
    version = sys.modules["numpy"].__version__
    assert outcome.key == Key("numpy", f"numpy {version}", "cpu", "float32", "LlamaForCausalLM")
    with pytest.raises(UnsupportedRequest):
        backend.generate([GenerateRequest((1, 2), 3, temperature=1.0)])
    backend.close()
