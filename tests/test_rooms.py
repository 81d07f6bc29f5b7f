"""The direction of imports: minizoo → reports → harness → backends → zoo, never upward and never across."""

import ast
from pathlib import Path

from support.paths import ROOT

STOREYS = ["minizoo", "reports", "harness", "backends", "zoo"]


def _imported_rooms(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names & set(STOREYS)


def test_imports_run_one_way():
    upward = [
        f"{path.relative_to(ROOT)} imports {other}"
        for level, room in enumerate(STOREYS)
        for path in (ROOT / room).rglob("*.py")
        for other in _imported_rooms(path)
        if STOREYS.index(other) < level
    ]
    assert upward == []


def test_every_room_says_in_one_line_what_it_is_for():
    for room in STOREYS:
        text = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text("utf-8")))
        assert text
        assert len(text.splitlines()) == 1


def test_a_planted_upward_import_is_seen(tmp_path):
    planted = tmp_path / "planted.py"
    planted.write_text("def f():\n    from harness.store.database import query\n")
    assert _imported_rooms(planted) == {"harness"}
