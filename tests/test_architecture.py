"""The shape of the house: storeys between rooms and inside them, no circle, small files, rooms that say what they are for."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from support.paths import ROOT
from support.source_tree import SourceTree, importers, long_files, long_functions, parse, raises

ROOMS = ["minizoo", "reports", "harness", "backends", "zoo"]
"""From the top down: a room imports only those after it."""

GROUND = {"errors", "names", "files", "strict", "confidence", "yaml_nodes", "yaml_source"}
STOREYS: dict[str, list[set[str]]] = {
    "minizoo": [
        {"__main__"},
        {"cli"},
        {"commands"},
        {"evaluations", "searching"},
        {"display", "doctor"},
        {"options"},
        {"output"},
        {"failures", "run_log", "streams", "table"},
    ],
    "reports": [
        {"publish"},
        {"pages"},
        {"site", "engines"},
        {"compare", "runs", "models", "tables", "speed", "charts"},
        {"board"},
        {"cells"},
    ],
    "backends": [
        {"conformance"},
        {"opening"},
        {"vllm", "trtllm", "openai", "split"},
        {"memory", "driven", "nodes"},
        {"several"},
        {"workers"},
        {"pruned", "random"},
        {"hf"},
        {"trial"},
        {"packing"},
        {"tokenizer", "sampling"},
        {"tokenizer_rules", "generation_config"},
        {"generation_settings"},
        {"contract"},
    ],
    "zoo": [
        {"reproduce"},
        {"nano"},
        {"search"},
        {"distill"},
        {"prune"},
        {"folders"},
        {"claims", "checkpoint"},
        {"registry"},
        {"arch"},
        GROUND,
    ],
}
"""Package → its children from the top down: a child imports only those of later storeys."""

HARNESS_GROUND = {"named_files", "nvml", "processor"}
HARNESS: dict[str, set[str]] = {
    "fleet": {
        "gates",
        "compare",
        "baselines",
        "accuracy",
        "speed",
        "lmeval",
        "data",
        "store",
        "suites",
        "metrics",
        "records",
        "stats",
    },
    "findings": {"fleet", "stats"},
    "gates": {"compare", "baselines", "accuracy", "lmeval", "data", "store", "suites", "metrics", "records", "stats"},
    "divergence": {"accuracy", "compare", "lmeval", "suites", "metrics", "records", "stats"},
    "recovery": {"compare", "store", "suites", "metrics", "records", "stats"},
    "compare": {"baselines", "imports", "store", "suites", "metrics", "records", "stats"},
    "baselines": {"bundles", "store", "metrics", "records", "stats"},
    "accuracy": {"conformance", "lmeval", "data", "sandbox", "suites", "metrics", "records", "stats"},
    "speed": {"metrics", "records", "stats"},
    "bundles": {"store", "metrics", "records", "stats"},
    "imports": {"store", "metrics", "records", "stats"},
    "exports": {"store", "metrics", "records", "stats"},
    "store": {"suites", "metrics", "records", "stats"},
    "lmeval": {"conformance", "data", "suites", "metrics", "records", "stats"},
    "conformance": {"records"},
    "data": {"suites"},
    "suites": set(),
    "tasks": {"sandbox"},
    "sandbox": set(),
    "metrics": {"records", "stats"},
    "records": {"stats"},
    "stats": set(),
}
"""Package of harness → the packages of harness that it may import, beside the files that all of them share."""

LM_EVAL_MAY_BE_IMPORTED_IN = ("harness/lmeval/", "harness/tasks/")
FAMILIES = {"InputError", "EnvironmentIssue", "MinizooError"}
MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 60
MOST_FILES = 15
CODE = [*ROOMS, "tests", "benchmarks", "examples"]


@pytest.fixture(scope="module")
def house() -> SourceTree:
    return SourceTree(ROOT, ROOMS)


def below(storeys: list[set[str]], shared: set[str]) -> dict[str, set[str]]:
    """Child → all that stand on later storeys; those of `shared` may also import each other."""
    lower = [set().union(*storeys[height + 1 :]) for height in range(len(storeys))]
    return {child: lower[h] | (shared if child in shared else set()) for h, row in enumerate(storeys) for child in row}


def test_rooms_import_downward_only(house):
    assert house.upward() == []


@pytest.mark.parametrize("package", STOREYS)
def test_storeys_inside_a_room_are_kept(house, package):
    assert house.outside(package, below(STOREYS[package], GROUND)) == []


def test_storeys_inside_the_harness_are_kept(house):
    allowed = {child: others | HARNESS_GROUND for child, others in HARNESS.items()}
    assert house.outside("harness", allowed | {shared: set() for shared in HARNESS_GROUND}) == []


def test_there_is_no_circle_of_files_or_packages(house):
    assert house.circles() == []


def test_lm_eval_is_imported_in_one_room_only():
    found = [path.relative_to(ROOT).as_posix() for room in ROOMS for path in importers(ROOT / room, "lm_eval")]
    assert [path for path in found if not path.startswith(LM_EVAL_MAY_BE_IMPORTED_IN)] == []


def test_every_package_says_in_one_line_what_it_is_for_and_what_it_never_does(house):
    assert [package for package in house.packages if not says_its_purpose(house.files[package])] == []


def says_its_purpose(init: Path) -> bool:
    text = ast.get_docstring(parse(init)) or ""
    return len(text.splitlines()) == 1 and "never" in text.lower()


@pytest.mark.parametrize("folder", CODE)
def test_no_file_is_long(folder):
    assert long_files(ROOT / folder, MOST_LINES) == []


@pytest.mark.parametrize("folder", CODE)
def test_no_function_is_long(folder):
    assert long_functions(ROOT / folder, MOST_LINES_OF_A_FUNCTION) == []


def test_no_package_is_crowded(house):
    assert [line for line in house.crowded(MOST_FILES) if not line.startswith("minizoo.commands ")] == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_error_raised_has_a_cause_of_its_own(room):
    assert raises(ROOT / room, FAMILIES) == []


# The test of the test: one fault of each kind in a small tree is seen.

PLANTED = {
    "top/__init__.py": '"""The top; never the bottom."""\n',
    "top/a.py": "def f():\n    from low.x import y\n",
    "low/__init__.py": '"""The bottom."""\n',
    "low/x.py": "y = 1\n",
}

Check = Callable[[SourceTree], object]
FAULTS: dict[str, tuple[dict[str, str], Check]] = {
    "upward import inside a function": ({"low/x.py": "def f():\n    import top.a\n"}, SourceTree.upward),
    "upward import for types only": (
        {"low/x.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from top.a import f\n"},
        SourceTree.upward,
    ),
    "upward import named in a string": ({"low/x.py": "WHERE = 'top.a:f'\n"}, SourceTree.upward),
    "circle of two files": (
        {"top/b.py": "import top.c\n", "top/c.py": "def f():\n    import top.b\n"},
        SourceTree.circles,
    ),
    "circle of two packages, without one of files": (
        {
            **{f"top/{p}/__init__.py": "" for p in "pq"},
            "top/p/one.py": "import top.q.one\n",
            "top/q/one.py": "",
            "top/q/two.py": "from top.p import two\n",
            "top/p/two.py": "",
        },
        SourceTree.circles,
    ),
    "sideways import": ({"top/b.py": "import top.a\n"}, lambda tree: tree.outside("top", {"a": set(), "b": set()})),
    "child without a storey": ({"top/b.py": ""}, lambda tree: tree.outside("top", {"a": set()})),
    "crowded package": ({f"low/f{n}.py": "" for n in range(4)}, lambda tree: tree.crowded(4)),
    "purpose without a never": ({}, lambda tree: not says_its_purpose(tree.files["low"])),
    "long file": ({"low/page.css": "\n" * 11}, lambda tree: long_files(tree.root, 10)),
    "long function": ({"low/x.py": "def f():\n" + "    1\n" * 10}, lambda tree: long_functions(tree.root, 10)),
    "import of lm_eval": (
        {"low/x.py": "def f():\n    from lm_eval.api import task\n"},
        lambda t: [*importers(t.root, "lm_eval")],
    ),
    "error without a cause": (
        {"low/x.py": "from zoo import errors\ndef f():\n    raise errors.InputError('no')\n"},
        lambda tree: raises(tree.root, FAMILIES),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(tmp_path, fault):
    files, check = FAULTS[fault]
    assert not check(plant(tmp_path / "sound", PLANTED | {"low/__init__.py": '"""Never more."""\n'}))
    assert check(plant(tmp_path / "faulty", PLANTED | files))


def plant(root: Path, files: dict[str, str]) -> SourceTree:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    return SourceTree(root, ["top", "low"])
