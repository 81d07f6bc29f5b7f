"""The shipped students: plans that the recipe makes of the shipped teacher, and what was distilled from them."""

import json
import shutil

import pytest
import torch
from safetensors import safe_open

from zoo.arch.config_comparison import compare
from zoo.arch.hf_config import read_config
from zoo.checkpoint.locate import locate
from zoo.checkpoint.plan_folder import virtual_parent
from zoo.nano.students import STUDENTS, TEACHER, WEIGHTS, write_plan
from zoo.prune.parent import open_parent
from zoo.prune.plan import read_plan
from zoo.registry.loader import load_registry

NAMES = [student.name for student in STUDENTS]
DISTILLED = [name.removesuffix("-pruned") for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_shipped_student_is_a_plan_on_the_shipped_teacher(name, tmp_path):
    """If this fails after the teacher was trained anew: `python -m zoo.nano.students`."""
    parent = open_parent(WEIGHTS / TEACHER, TEACHER)
    note = json.loads((WEIGHTS / name / "minizoo.json").read_text())
    assert note["parent"] == {"name": TEACHER, "digest": parent.digest}
    assert note["parent_folder"] == f"../{TEACHER}"
    made = write_plan(read_plan(WEIGHTS / name / "plan.json"), parent, tmp_path / name, WEIGHTS / name)
    assert {path.name: path.read_bytes() for path in made.iterdir()} == {
        path.name: path.read_bytes() for path in (WEIGHTS / name).iterdir()
    }


def test_a_plan_finds_its_teacher_wherever_both_stand(tmp_path):
    for name in (TEACHER, NAMES[0]):
        shutil.copytree(WEIGHTS / name, tmp_path / "elsewhere" / name)
    assert virtual_parent(tmp_path / "elsewhere" / NAMES[0]) == (tmp_path / "elsewhere" / TEACHER).resolve()


@pytest.mark.parametrize("name", NAMES + DISTILLED)
def test_shipped_student_is_what_its_entry_says(name):
    model = load_registry().models[name]
    assert json.loads((WEIGHTS / name / "minizoo.json").read_text())["parameters"] == model.parameters
    contradictions = [d for d in compare(model.architecture, read_config(str(WEIGHTS / name))) if d.contradicts]
    assert contradictions == []


@pytest.mark.parametrize("name", DISTILLED)
def test_distilled_student_says_what_it_was_trained_from_and_on(name):
    note = json.loads((WEIGHTS / name / "minizoo.json").read_text())
    assert note["student"]["name"] == f"{name}-pruned"
    assert note["teacher"]["name"] == note["parent"]["name"] == TEACHER
    assert note["tokens"] == load_registry().models[name].tokens.distillation
    assert note["weights_digest"] == locate(name).weights_digest()
    with safe_open(WEIGHTS / name / "model.safetensors", "pt") as file:
        assert {file.get_tensor(key).dtype for key in file.keys()} == {torch.bfloat16}  # noqa: SIM118 (no mapping)


def test_all_nano_weights_together_stay_within_8_mb():
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file()) <= 8_000_000
