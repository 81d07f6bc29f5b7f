"""MINIZOO_REGISTRY: files that are added to the shipped registry."""

import os
import re

import pytest

from zoo.errors import FileMissing, InvalidRegistry
from zoo.registry.lint import lint
from zoo.registry.loader import load_registry

SOURCES = "schema: minizoo.registry/1\nsources:\n  my-card: {kind: model_card, title: Mine}\n"
MODEL = """models:
  mine:
    display: Mine
    group: related
    kind: base
    aliases: [my-model]
    hub: {id: me/mine}
    lineage: {parent: llama-3.1-8b, relation: [distilled], source: my-card}
    architecture:
      {type: dense, num_layers: 32, hidden_size: 4096, ffn_hidden_size: 14336, num_attention_heads: 32, num_kv_heads: 8,
       head_dim: 128, vocab_size: 128256, tied_embeddings: false, activation: swiglu, norm: rmsnorm, rope: {theta: 500000.0}}
    architecture_source: my-card
    published:
      - {source: my-card, protocol: minitron-tables, values: {mmlu: 60.0}}
"""


@pytest.fixture
def added(tmp_path, monkeypatch):
    """Write files and name them in MINIZOO_REGISTRY; gives the registry."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def add(*texts):
        files = [tmp_path / f"added{number}.yaml" for number in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text)
        monkeypatch.setenv("MINIZOO_REGISTRY", os.pathsep.join(map(str, files)))
        return load_registry()

    return add


def test_an_added_model_stands_beside_the_shipped_ones_and_refers_to_them(added):
    registry = added(SOURCES + MODEL)
    assert registry.resolve("ME/mine").id == "mine"
    assert [model.id for model in registry.ancestors("mine")] == ["llama-3.1-8b"]
    (score,) = registry.models["mine"].published_scores
    assert (score.metric, score.shots, score.source.title) == ("acc", 5, "Mine")
    assert "minitron-8b" in registry.models
    assert "mine" not in load_registry(registry.paths[0]).models  # a path is read alone


def test_one_added_file_may_refer_to_another(added):
    assert added(SOURCES, "schema: minizoo.registry/1\n" + MODEL).models["mine"].architecture_source == "my-card"


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [("  mine:", "  minitron-8b:", "registry.yaml"), ("[my-model]", "[Minitron-8B]", "registry.yaml"),
     ("me/mine", "nvidia/Minitron-8B-Base", "registry.yaml"), ("  my-card:", "  minitron-paper:", "registry.yaml"),
     ("  mine:", "  minitron-8b-base:", "registry.yaml")],
)  # fmt: skip
def test_a_name_that_is_taken_is_refused_with_both_places(added, before, after, place):
    with pytest.raises(InvalidRegistry) as error:
        added((SOURCES + MODEL).replace(before, after, 1))
    assert re.match(r"\S+/added0\.yaml:\d+:\d+: ", error.value.what)
    assert re.search(rf" in {re.escape(place)}:\d+:\d+\.$", error.value.what)


def test_a_name_of_an_earlier_added_file_is_taken(added):
    with pytest.raises(InvalidRegistry) as error:
        added(SOURCES + MODEL, SOURCES.replace("my-card", "other-card") + MODEL)
    assert re.match(r"\S+/added1\.yaml:\d+:\d+: .*added0\.yaml:\d+:\d+\.$", error.value.what)


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("parent: llama-3.1-8b", "parent: llama-3.1-9b", 11),
        ("mmlu: 60.0", "mmlu: 600.0", 17),
        ("    kind:", "    kynd:", 8),
    ],
)
def test_a_bad_line_is_named_in_its_own_file(added, before, after, line):
    with pytest.raises(InvalidRegistry) as error:
        added((SOURCES + MODEL).replace(before, after, 1))
    assert re.match(rf"\S+/added0\.yaml:{line}:\d+: ", error.value.what)


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIZOO_REGISTRY", str(tmp_path / "nowhere.yaml"))
    with pytest.raises(FileMissing, match=r"nowhere\.yaml"):
        load_registry()


def test_a_changed_added_file_is_read_again(added):
    first = added(SOURCES + MODEL)
    second = added((SOURCES + MODEL).replace("display: Mine", "display: Changed"))
    assert (first.models["mine"].display, second.models["mine"].display) == ("Mine", "Changed")
    assert first.state != second.state


def test_a_lint_finding_names_its_file(added):
    conflict = "      - {source: sea-lion-card, protocol: sea-lion-table, values: {mmlu: 50.0}}\n"
    (finding,) = [f for f in lint(added(SOURCES + MODEL + conflict)) if f.subject == "mine" and f.topic == "mmlu"]
    assert finding.file.endswith("added0.yaml")
