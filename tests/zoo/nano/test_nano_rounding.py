"""A distilled student as it ships: the same model in bf16, which says what it was rounded from."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from zoo.checkpoint.locate import open_folder
from zoo.errors import OutputExists
from zoo.nano.rounding import TOLD, round_weights
from zoo.nano.students import TEACHER, WEIGHTS


@pytest.fixture
def wide(tmp_path):
    """A checkpoint in float32 with a card."""
    folder = shutil.copytree(WEIGHTS / TEACHER, tmp_path / "wide")
    weights = {name: tensor.float() + 1e-5 for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text()) | {"dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "README.md").write_text("A card.\n")
    return folder


def test_a_rounded_model_is_the_same_in_bf16_and_says_so(wide, tmp_path):
    out = round_weights(wide, tmp_path / "out")
    before, after = load_file(wide / "model.safetensors"), load_file(out / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], before[name].bfloat16()) for name in before)
    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"
    note, was = (json.loads((folder / "minizoo.json").read_text()) for folder in (out, wide))
    assert note["weights_digest"] == open_folder(out).weights_digest()
    assert note["rounded_from"] == open_folder(wide).weights_digest()
    assert {**note, **was} == note
    assert (out / "README.md").read_text() == "A card.\n" + TOLD
    assert {path.name for path in out.iterdir()} == {path.name for path in wide.iterdir()}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_folder_that_is_there_stays_as_it_is(wide, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputExists):
        round_weights(wide, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
