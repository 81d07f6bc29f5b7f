"""The registry as its readers use it: names, lineage, scores, and the files that must keep in step with it."""

import json
import os
import subprocess
import sys
import zipfile

import jsonschema
import pytest
from support.paths import ROOT

from zoo.arch.config_comparison import compare
from zoo.arch.hf_config import read_config
from zoo.errors import InputError
from zoo.registry.loader import load_registry, shipped_path
from zoo.registry.schema import json_schema


@pytest.mark.parametrize(
    "name", ["minitron-8b", "MINITRON-8B", "minitron-8b-base", "nvidia/Minitron-8B-Base", " nvidia/minitron-8b-base "]
)
def test_a_model_is_found_by_id_alias_and_hub_id_whatever_the_case(name):
    assert load_registry().resolve(name).id == "minitron-8b"


def test_an_unknown_name_suggests_the_closest_and_says_where_all_are():
    with pytest.raises(InputError) as error:
        load_registry().resolve("minitron8b")
    assert str(error.value).endswith("Did you mean 'minitron-8b'? `minizoo models` lists them.")


def test_the_ids_of_the_command_line_are_there():
    ids = {"minitron-8b", "minitron-4b", "mistral-nemo-minitron-8b", "llama-3.1-minitron-4b-width",
           "llama-3.1-minitron-4b-depth", "nemotron-4-15b", "llama-3.1-8b", "mistral-nemo-12b", "nano-teacher"}  # fmt: skip
    assert ids <= set(load_registry().models)


def test_every_source_that_is_cited_is_one_that_is_defined_and_no_source_is_idle():
    registry = load_registry()
    cited = set(_values(registry.files.located[0].data, {"source", "architecture_source", "copy_of"}))
    assert cited <= set(registry.sources)
    assert set(registry.sources) - cited == set()


def test_only_whole_commits_are_revisions_and_each_says_where_it_was_read():
    for model in load_registry().models.values():
        if model.hub is not None and model.hub.revision is not None:
            assert model.hub.revision in (model.hub.revision_source or ""), model.id


def test_a_score_carries_its_protocol_and_source():
    scores = [s for s in load_registry().resolve("minitron-8b").published_scores if s.task == "humaneval"]
    paper = scores[0]
    assert (paper.value, paper.unit, paper.metric, paper.shots) == (31.6, "percent", "pass@1", 0)
    assert (paper.decoding.n, paper.decoding.temperature, paper.decoding.top_p) == (20, 0.2, 0.95)
    assert (paper.source.kind, paper.where, paper.revision) == ("paper", "Table 2", "paper")


def test_a_score_of_a_task_that_chose_the_shape_is_marked():
    depth = load_registry().resolve("llama-3.1-minitron-4b-depth")
    assert {s.task for s in depth.published_scores if s.used_for_selection} == {"winogrande"}


def test_packaged_checkpoints_are_what_their_entries_say():
    shipped = [model for model in load_registry().models.values() if model.weights_folder is not None]
    assert shipped
    for model in shipped:
        assert compare(model.architecture, read_config(str(model.weights_folder))) == [], model.id


def test_every_packaged_checkpoint_has_an_entry():
    folders = {config.parent.resolve() for config in (ROOT / "zoo/nano/weights").glob("*/config.json")}
    assert folders == {m.weights_folder.resolve() for m in load_registry().models.values() if m.weights_folder}


def test_the_json_schema_is_current_and_accepts_the_registry():
    committed = json.loads((ROOT / "zoo/registry/registry.schema.json").read_text("utf-8"))
    assert committed == json_schema(), "run: minizoo models --schema > zoo/registry/registry.schema.json"
    jsonschema.validate(_as_json(load_registry().files.located[0].data), committed)


def test_the_cache_is_used_and_never_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    copy = tmp_path / "registry.yaml"
    copy.write_text(shipped_path().read_text("utf-8"))
    first = load_registry(copy)
    cached = list((tmp_path / "cache/minizoo").glob("yaml-*.json"))
    assert len(cached) == 1
    copy.touch()
    with monkeypatch.context() as patched:
        patched.setattr("zoo.yaml_nodes.read_nodes", lambda *_: pytest.fail("the YAML was read again"))
        assert load_registry(copy).models["minitron-8b"] == first.models["minitron-8b"]
    cached[0].write_text("not json")
    copy.touch()
    assert load_registry(copy).models.keys() == first.models.keys()


def test_listing_models_imports_nothing_heavy():
    script = (
        "import sys; from minizoo.cli import run; run(['models', '--json']);"
        "print([m for m in ('torch', 'transformers', 'lm_eval', 'duckdb', 'scipy', 'ruamel.yaml') if m in sys.modules],"
        " file=sys.stderr)"
    )
    load_registry()  # fills the cache, as a first command would
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stderr.strip() == "[]"
    assert json.loads(ran.stdout)["schema"] == "minizoo.models/1"


def test_the_wheel_carries_the_registry_and_reads_it(tmp_path):
    wheels = pytest.importorskip("hatchling.builders.wheel")
    built = next(wheels.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    with zipfile.ZipFile(built) as wheel:
        wheel.extractall(tmp_path / "site")
    script = "from zoo.registry.loader import *; print(shipped_path()); print(len(load_registry().models))"
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site"), "XDG_CACHE_HOME": str(tmp_path)},
    )  # fmt: skip
    path, count = ran.stdout.split()
    assert path == str(tmp_path / "site/zoo/registry.yaml")
    assert int(count) == len(load_registry().models)
    assert (tmp_path / "site/zoo/claims/claims.yaml").is_file()


def _values(data, keys):
    if isinstance(data, dict):
        for key, value in data.items():
            if key in keys and isinstance(value, str):
                yield value
            yield from _values(value, keys)
    elif isinstance(data, tuple):
        for item in data:
            yield from _values(item, keys)


def _as_json(data):
    return json.loads(json.dumps(data))
