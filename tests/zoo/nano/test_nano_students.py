"""The shipped pruned students are what the recipe makes of the shipped teacher."""

import json

import pytest

from zoo.arch.config_comparison import compare
from zoo.arch.hf_config import read_config
from zoo.nano.students import STUDENTS, TEACHER, WEIGHTS
from zoo.prune.parent import open_parent
from zoo.prune.plan import read_plan
from zoo.prune.write.writer import write_child
from zoo.registry.loader import load_registry

NAMES = [student.name for student in STUDENTS]


@pytest.mark.parametrize("name", NAMES)
def test_shipped_student_is_cut_from_the_shipped_teacher(name, tmp_path):
    """If this fails after the teacher was trained anew: `python -m zoo.nano.students`."""
    parent = open_parent(WEIGHTS / TEACHER, TEACHER)
    note = json.loads((WEIGHTS / name / "minizoo.json").read_text())
    assert note["parent"] == {"name": TEACHER, "digest": parent.digest}
    write_child(read_plan(WEIGHTS / name / "plan.json"), parent, tmp_path / name)
    for path in (tmp_path / name).iterdir():
        assert path.read_bytes() == (WEIGHTS / name / path.name).read_bytes(), path.name


@pytest.mark.parametrize("name", NAMES)
def test_shipped_student_is_what_its_entry_says(name):
    model = load_registry().models[name]
    assert json.loads((WEIGHTS / name / "minizoo.json").read_text())["parameters"] == model.parameters
    contradictions = [d for d in compare(model.architecture, read_config(str(WEIGHTS / name))) if d.contradicts]
    assert contradictions == []


def test_all_nano_weights_together_stay_within_8_mb():
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file()) <= 8_000_000
