"""Backends by entry point: a third party's is found, and one written for the contract of minizoo 0.1 is told what to rename."""

import importlib
import sys
import textwrap

import pytest

from backends.contract import Options
from backends.opening import RENAMED, backend_names, check_backend, open_backend
from zoo.checkpoint.locate import locate
from zoo.errors import BrokenInstallation, UnknownName


@pytest.fixture
def checkpoint():
    return locate("nano-teacher")


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution whose module gives the backend `theirs`, found through its entry_points.txt."""

    def call(source, attribute="open_theirs", module="their_backend"):
        site = tmp_path / "site"
        info = site / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[minizoo.backends]\ntheirs = {module}:{attribute}\n")
        (site / f"{module}.py").write_text(textwrap.dedent(source))
        monkeypatch.syspath_prepend(str(site))
        importlib.invalidate_caches()
        monkeypatch.delitem(sys.modules, module, raising=False)

    yield call
    sys.modules.pop("their_backend", None)


def test_a_third_partys_backend_is_opened_by_its_name(install, checkpoint):
    install("""
        def open_theirs(checkpoint, options):
            return (checkpoint.name, options.eager)
    """)
    assert "theirs" in backend_names()
    assert open_backend(checkpoint, "theirs", Options(eager=True)) == ("nano-teacher", True)


def test_an_unknown_backend_names_the_nearest():
    with pytest.raises(UnknownName, match="'pruned'"):
        check_backend("prunned")


OLD = {
    "imports backends.checkpoint": (
        """
        from backends.checkpoint import Checkpoint
        def open_theirs(checkpoint: Checkpoint, options): ...
        """,
        "backends.checkpoint",
    ),
    "reads options.exact": (
        """
        def open_theirs(checkpoint, options):
            return "plain" if options.exact else "packed"
        """,
        "exact",
    ),
    "inherits backends.scoring.PackedScoring": (
        """
        from backends.scoring import PackedScoring
        class Theirs(PackedScoring): ...
        def open_theirs(checkpoint, options): return Theirs()
        """,
        "backends.scoring",
    ),
    "raises zoo.errors.UsageError": (
        """
        from zoo.errors import UsageError
        def open_theirs(checkpoint, options): raise UsageError("no")
        """,
        "UsageError",
    ),
    "says what mends an error": (
        """
        from zoo.errors import UnknownModel
        def open_theirs(checkpoint, options): return UnknownModel("no").mend
        """,
        "mend",
    ),
}


@pytest.mark.parametrize("case", OLD)
def test_a_backend_of_the_old_contract_is_told_what_to_rename(install, checkpoint, case):
    source, old = OLD[case]
    install(source)
    with pytest.raises(BrokenInstallation) as caught:
        open_backend(checkpoint, "theirs")
    assert f"`{old}` → `{RENAMED[old]}`" in caught.value.hint
    assert "theirs" in caught.value.what
    assert caught.value.code == "broken-installation"


@pytest.mark.parametrize("new", RENAMED.values())
def test_what_to_rename_to_is_there(new):
    """A module, a name in one, or a word of the contract or of an error."""
    from backends import contract, packing
    from zoo import errors

    if not new.startswith(("backends", "zoo")):
        known = [
            *vars(contract),
            *packing.__all__,
            *vars(errors),
            *Options.__dataclass_fields__,
            *vars(errors.MinizooError("w", "h")),
        ]
        assert new in known
        return
    try:
        importlib.import_module(new)
    except ModuleNotFoundError:
        module, name = new.rsplit(".", 1)
        assert hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize(
    ("source", "attribute"),
    [
        ("import a_package_that_is_not_there", "open_theirs"),
        ("", "open_theirs"),
        ("def other(c, o): ...", "open_theirs"),
    ],
)
def test_an_entry_point_that_cannot_be_loaded_is_a_broken_installation(install, checkpoint, source, attribute):
    install(source, attribute)
    with pytest.raises(BrokenInstallation, match="their_backend"):
        open_backend(checkpoint, "theirs")


def test_a_fault_in_a_backend_of_this_contract_is_not_taken_for_an_old_one(install, checkpoint):
    install("""
        def open_theirs(checkpoint, options):
            return None + 1
    """)
    with pytest.raises(TypeError):
        open_backend(checkpoint, "theirs")


def test_the_command_says_it_in_one_paragraph(minizoo, install, tmp_path):
    install(OLD["reads options.exact"][0])
    ran = minizoo(
        "eval", "nano-teacher", "--suite", "nano", "--limit", 1, "--backend", "theirs", "--results", tmp_path, "--json"
    )
    assert (ran.code, ran.json()["code"]) == (4, "broken-installation")
    assert ran.err.count("\n") == 1
