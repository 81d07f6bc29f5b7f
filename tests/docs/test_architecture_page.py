"""ARCHITECTURE.md tells of files that exist, in walks of at most twelve, each of which is imported by one before it."""

import re

import pytest
from support.paths import ROOT
from support.source_tree import SourceTree

TEXT = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
ROOMS = ["minizoo", "reports", "harness", "backends", "zoo"]
STEP = re.compile(r"^\d+\. `([\w/.]+)`: (.+)$", re.MULTILINE)
WALKS = {title: STEP.findall(body) for title, _, body in (part.partition("\n") for part in TEXT.split("\n## ")[1:])}
WALKS = {title: steps for title, steps in WALKS.items() if steps}
MOST_STEPS = 12


@pytest.fixture(scope="module")
def house() -> SourceTree:
    return SourceTree(ROOT, ROOMS)


def test_there_are_four_walks():
    assert len(WALKS) == 4


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_names_at_most_twelve_files_in_the_order_of_imports(house, walk):
    steps = WALKS[walk]
    assert len(steps) <= MOST_STEPS
    assert len({path for path, _ in steps}) == len(steps)
    reached: set[str] = set()
    for path, told in steps:
        assert (ROOT / path).is_file()
        name = path.removesuffix(".py").replace("/", ".")
        assert not reached or "anew" in told or name in reached, f"{path} is imported by no file before it"
        reached |= house.reachable(name)


def test_every_file_that_the_page_names_exists():
    named = re.findall(r"`([\w./]+/[\w.]+\.(?:py|yaml|md))`", TEXT)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("room", ROOMS)
def test_the_tree_names_every_package_of_a_room(room):
    tree = TEXT.split("```")[1]
    part = re.search(rf"^{room}/.*\n(?:  .*\n)*", tree, re.MULTILINE)
    assert part
    folders = {path.parent.name for path in (ROOT / room).glob("*/*.py")}
    assert set(re.findall(r"^  (\w+)/", part[0], re.MULTILINE)) == folders | ({"tasks"} if room == "harness" else set())
