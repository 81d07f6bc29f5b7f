"""What upstream supports is told with its sources, covers the whole family, and stands in the page as the table has it."""

from __future__ import annotations

import pytest

from backends.trtllm.support import COLUMNS, PAGE, lacking, markdown, page, supported, table, uneven
from zoo.registry.loader import load_registry

REGISTRY = load_registry()
MINITRON = (
    "minitron-8b",
    "minitron-4b",
    "mistral-nemo-minitron-8b",
    "llama-3.1-minitron-4b-width",
    "llama-3.1-minitron-4b-depth",
)


def test_the_page_has_the_table_that_the_file_gives():
    text = PAGE.read_text("utf-8")
    assert page(text) == text, "python -m backends.trtllm.support"


def test_a_page_without_a_place_for_it_is_told():
    with pytest.raises(ValueError, match="no place"):
        page("# Empty\n")


@pytest.mark.parametrize("name", MINITRON)
def test_each_of_the_family_and_what_it_was_cut_from_is_there_with_every_fact(name: str):
    child = REGISTRY.models[name]
    assert child.lineage is not None
    assert child.lineage.parent is not None
    for model in (child, REGISTRY.models[child.lineage.parent]):
        found = supported(model.architecture.hf_class or "")
        assert found is not None
        assert set(found.facts) == set(COLUMNS)
        assert f"`{model.id}`" in markdown(REGISTRY)


def test_every_fact_names_a_source_that_is_listed_and_every_source_is_used():
    known = table()
    facts = [fact for family in known.family.values() for fact in (getattr(family, name) for name in COLUMNS)]
    named = {one.source for one in (*facts, known.heads, *known.refused, known.releases)} | {"index"}
    assert named == set(known.sources)
    assert all(f"\n[{name}]: https://github.com/NVIDIA/TensorRT-LLM/blob/" in markdown(REGISTRY) for name in named)


def test_a_class_that_upstream_has_and_the_family_does_not_is_known_by_its_file_alone():
    found = supported("Qwen2ForCausalLM")
    assert found is not None
    assert (found.module, dict(found.facts)) == ("modeling_qwen", {})
    assert {name: supported(name).module for name in table().family if supported(name)} == {  # pyright: ignore[reportOptionalMemberAccess]
        "NemotronForCausalLM": "modeling_nemotron",
        "MistralForCausalLM": "modeling_mistral",
        "LlamaForCausalLM": "modeling_llama",
        "NemotronHForCausalLM": "modeling_nemotron_h",
    }


def test_a_class_that_upstreams_index_does_not_name_is_not_supported():
    assert supported("Gemma2ForCausalLM") is None
    assert supported("") is None
    assert lacking(REGISTRY) == [
        "gemma-7b (GemmaForCausalLM)",
        "gemma-2-9b (Gemma2ForCausalLM)",
        "ministral-3-8b (Ministral3ForCausalLM)",
    ]


def test_heads_that_are_not_hidden_over_heads_are_named():
    assert {"minitron-8b", "llama-3.1-minitron-4b-width", "mistral-nemo-12b"} <= set(uneven(REGISTRY))
    assert "llama-3.1-8b" not in uneven(REGISTRY)


def test_an_fp8_checkpoint_that_upstream_reads_otherwise_is_one_of_the_registrys():
    entry = REGISTRY.models["minitron-8b-fp8"]
    assert entry.lineage is not None
    assert entry.lineage.quantization is not None
    assert (entry.lineage.quantization.config or {})["activation_scheme"] == "static"
    assert "minitron-8b-fp8" in table().refused[0].what
