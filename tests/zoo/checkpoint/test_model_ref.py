"""A user's word is resolved once, in one order: registry, folder, hub; a local model's own name and parent."""

import json
from pathlib import Path

import pytest

from zoo.checkpoint.locate import locate
from zoo.checkpoint.model_ref import resolve
from zoo.errors import (
    FileMissing,
    InvalidOption,
    UnknownModel,
    UnsupportedArchitecture,
    WeightsMissing,
    WeightsNotPublic,
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current folder with a folder of the name of a registry model in it."""
    (tmp_path / "minitron-8b").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("word", ["minitron-8b", "minitron-8b-base", "nvidia/Minitron-8B-Base", "MINITRON-8B"])
def test_id_alias_and_hub_id_mean_one_model(word):
    ref = resolve(word)
    assert (ref.kind, ref.id, ref.shown) == ("registry", "minitron-8b", "minitron-8b")
    assert ref.parent == "nemotron-4-15b"


def test_the_registry_comes_first_and_a_path_reaches_the_folder(here):
    assert resolve("minitron-8b").kind == "registry"
    for word in ("./minitron-8b", str(here / "minitron-8b")):
        ref = resolve(word)
        assert (ref.kind, ref.entry, ref.folder) == ("folder", None, Path(word))


def test_any_other_hub_id_is_a_hub_model_without_an_entry():
    ref = resolve("someone/their-model")
    assert (ref.kind, ref.id, ref.entry, ref.hub) == ("hub", "someone/their-model", None, ("someone/their-model", None))
    with pytest.raises(UnsupportedArchitecture):
        _ = ref.dims


@pytest.mark.parametrize("word", ["./nowhere", "/nowhere", "~/nowhere/at/all"])
def test_a_path_that_is_no_folder_is_said_to_be_missing(word):
    with pytest.raises(FileMissing):
        resolve(word)


def test_a_file_is_no_model(tmp_path):
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(FileMissing):
        resolve(str(tmp_path / "model.safetensors"))


def test_an_unknown_word_names_the_nearest():
    with pytest.raises(UnknownModel, match="'minitron-8b'"):
        resolve("minitron-88b")


@pytest.mark.parametrize("taken", ["minitron-8b", "minitron-8b-base", "nvidia/Minitron-8B-Base"])
def test_a_local_model_never_takes_a_name_of_the_registry(here, taken):
    with pytest.raises(InvalidOption, match="minitron-8b"):
        resolve("./minitron-8b", name=taken)


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "bell\x07", "\x9bcolour", "right\u202eleft", "x" * 201])
def test_a_name_that_a_terminal_would_obey_is_refused(here, name):
    with pytest.raises(InvalidOption):
        resolve("./minitron-8b", name=name)


def test_a_name_is_what_is_shown(here):
    ref = resolve("./minitron-8b", name="mein Modell, 2. Versuch")
    assert (ref.id, ref.shown) == ("minitron-8b", "mein Modell, 2. Versuch")


@pytest.mark.parametrize("said", [{"name": "mine"}, {"parent": "minitron-4b"}])
def test_a_registry_model_is_named_and_placed_by_the_registry_alone(said):
    with pytest.raises(InvalidOption):
        resolve("minitron-8b", **said)


def test_the_parent_is_what_minizoo_json_says_unless_told_otherwise(here):
    folder = here / "minitron-8b"
    assert resolve("./minitron-8b").parent is None
    (folder / "minizoo.json").write_text(json.dumps({"parent": {"name": "nvidia/Minitron-8B-Base"}}))
    assert resolve("./minitron-8b").parent == "minitron-8b"
    assert resolve("./minitron-8b", parent="nvidia/Minitron-8B-Base").parent == "minitron-8b"
    assert resolve("./minitron-8b", parent="my own parent").parent == "my own parent"


@pytest.mark.parametrize("note", ["{", "[]", '{"parent": 3}', '{"parent": {"name": 3}}'])
def test_a_minizoo_json_of_another_form_gives_no_parent(here, note):
    (here / "minitron-8b" / "minizoo.json").write_text(note)
    assert resolve("./minitron-8b").parent is None


def test_a_model_without_public_weights_is_resolved_and_not_located():
    assert resolve("nemotron-4-15b").id == "nemotron-4-15b"
    with pytest.raises(WeightsNotPublic):
        locate("nemotron-4-15b")


def test_a_folder_of_the_name_of_a_registry_model_has_no_entry_after_locating_either(stories, here):
    (here / "minitron-8b").rmdir()
    (here / "minitron-8b").symlink_to(stories)
    checkpoint = locate("./minitron-8b")
    assert checkpoint.model is None
    assert checkpoint.ref.id == stories.name


def test_a_located_folder_holds_weights(here):
    (here / "minitron-8b" / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(WeightsMissing):
        locate("./minitron-8b")
