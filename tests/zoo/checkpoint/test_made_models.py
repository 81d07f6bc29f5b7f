"""A registry model whose weights everyone makes: its folder is called by its name, and is refused where it is another."""

import pytest

from zoo.checkpoint.locate import locate
from zoo.checkpoint.model_ref import resolve
from zoo.errors import InvalidOption, InvalidRegistry, WeightsNotPublic
from zoo.registry.loader import load_registry

ENTRY = """schema: minizoo.registry/1
sources:
  mine: {{kind: project, title: Mine}}
models:
  tales:
    display: Tales
    group: example
    kind: base
    made: {{by: my script, source: mine}}
    {more}
    lineage: {{parent_elsewhere: a tale, relation: [distilled], source: mine}}
    architecture:
      {{type: dense, num_layers: 5, hidden_size: 64, ffn_hidden_size: 172, num_attention_heads: 8, num_kv_heads: 4,
       head_dim: 8, vocab_size: 512, tied_embeddings: true, max_context: 512, activation: swiglu, norm: rmsnorm,
       norm_eps: 1e-5, rope: {{theta: 10000.0}}, hf_class: LlamaForCausalLM}}
    architecture_source: mine
"""


@pytest.fixture
def registry(tmp_path, monkeypatch):
    def add(more=""):
        (tmp_path / "mine.yaml").write_text(ENTRY.format(more=more))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("MINIZOO_REGISTRY", str(tmp_path / "mine.yaml"))
        return load_registry()

    return add


def test_a_folder_by_the_name_of_a_made_model_is_that_model(registry, stories):
    registry()
    ref = resolve(str(stories), name="tales")
    assert (ref.kind, ref.id, ref.folder, ref.parent) == ("registry", "tales", stories, None)
    assert locate(ref).model.id == "tales"
    assert resolve(str(stories)).entry is None


def test_without_a_folder_it_says_who_makes_it(registry):
    registry()
    with pytest.raises(
        WeightsNotPublic, match=r"Tales is on no hub: its weights are made by my script\. .*--name tales"
    ):
        locate("tales")


def test_a_folder_of_other_dimensions_is_not_that_model(stories):
    with pytest.raises(InvalidOption, match=r"is not smollm2-135m-ffn-1152: .*num_layers 5, not 30"):
        resolve(str(stories), name="smollm2-135m-ffn-1152")


def test_only_a_model_that_is_made_lends_its_name(stories):
    with pytest.raises(InvalidOption, match="names minitron-8b of the registry"):
        resolve(str(stories), name="minitron-8b")
    with pytest.raises(InvalidOption):
        resolve(str(stories), name="smollm2-135m-ffn-1152", parent="another")


def test_what_is_made_is_not_fetched_too(registry):
    with pytest.raises(InvalidRegistry, match=r"made.*is said beside `hub` or `weights`"):
        registry("hub: {id: me/tales}")
