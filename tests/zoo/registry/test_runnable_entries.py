"""`models --lint` lists every entry that `eval` cannot run: each rule by an entry that was planted for it."""

import pytest

from zoo.registry.lint import lint
from zoo.registry.loader import load_registry

TEXT = """schema: minizoo.registry/1
sources:
  my-card: {{kind: model_card, title: Mine}}
models:
  mine:
    display: Mine
    group: related
    kind: base
    {where}
    {lineage}
    architecture:
      {{type: dense, num_layers: 32, hidden_size: 4096, ffn_hidden_size: 14336, num_attention_heads: 32, num_kv_heads: 8,
       head_dim: 128, vocab_size: 128256, tied_embeddings: false, activation: swiglu, norm: rmsnorm,
       rope: {{theta: 500000.0}}, {rest}}}
    architecture_source: my-card
"""
HUB = "hub: {id: me/mine}"
FILES = "hub: {{id: me/mine, files: {{{}, source: my-card}}}}"
WHOLE = "max_context: 8192, hf_class: LlamaForCausalLM"
FP8 = "lineage: {{parent: llama-3.1-8b, relation: [quantized], source: my-card, quantization: {{scheme: fp8, bits: 8{}}}}}"
STANDS = {
    "not public": ("released: false", "", WHOLE),
    "no address": ("", "", WHOLE),
    "format": (FILES.format("format: nemo"), "", WHOLE),
    "no class": (HUB, "", "max_context: 8192, hf_class: NobodyForCausalLM"),
    "remote code": (FILES.format("remote_code: true"), "", "max_context: 8192, hf_class: NobodyLM"),
    "no language model": (FILES.format("hf_class: Mistral3ForConditionalGeneration"), "", WHOLE),
    "quantised": (HUB, FP8.format(", config: {quant_method: fp8, activation_scheme: static}"), WHOLE),
}  # fmt: skip
CAN_BE_DEALT_WITH = {
    "format": (FILES.format("format: pickled"), "", WHOLE),
    "gated": ("hub: {id: me/mine, gated: true}", "", WHOLE),
    "quantised": (HUB, FP8.format(""), WHOLE),
    "bytes unknown": (HUB, FP8.format("").replace(", bits: 8", ""), WHOLE),
    "context unknown": (HUB, "", "hf_class: LlamaForCausalLM"),
    "class unknown": (HUB, "", "max_context: 8192"),
}


@pytest.fixture
def found(tmp_path, monkeypatch):
    def plant(where, lineage, rest):
        (tmp_path / "mine.yaml").write_text(TEXT.format(where=where, lineage=lineage, rest=rest))
        monkeypatch.setenv("MINIZOO_REGISTRY", str(tmp_path / "mine.yaml"))
        return [f for f in lint(load_registry()) if (f.rule, f.subject) == ("eval", "mine")]

    return plant


@pytest.mark.parametrize("topic", STANDS)
def test_what_cannot_be_run_is_found_with_its_reason_and_its_line(found, topic):
    (finding,) = found(*STANDS[topic])
    assert (finding.topic, finding.text.startswith("cannot run: ")) == (topic, True)
    assert finding.file.endswith("mine.yaml")
    assert finding.line > 4


@pytest.mark.parametrize("topic", CAN_BE_DEALT_WITH)
def test_what_can_be_dealt_with_is_said_without_calling_the_model_unrunnable(found, topic):
    findings = found(*CAN_BE_DEALT_WITH[topic])
    assert topic in [finding.topic for finding in findings]
    assert not any(finding.text.startswith("cannot run") for finding in findings)


def test_an_entry_with_nothing_in_its_way_has_no_finding(found):
    assert found(HUB, "", WHOLE) == []


def test_the_shipped_entries_that_cannot_run_are_these(minizoo):
    findings = minizoo("models", "--lint", "--json").json()["findings"]
    cannot = {f["subject"]: f["topic"] for f in findings if f["rule"] == "eval" and f["text"].startswith("cannot run")}
    assert cannot == {
        "nemotron-4-15b": "not public",
        "llama-3.1-minitron-4b-width-instruct": "no address",
        "llama-3.1-minitron-4b-depth-instruct": "no address",
        "llama-3.1-8b-corrected": "no address",
        "mistral-nemo-12b-corrected": "no address",
        "nemotron-3-8b": "format",
        "ministral-3-8b": "no language model",
        "minitron-8b-fp8": "quantised",
    }
    told = minizoo("models", "--lint")
    assert (told.code, told.out.splitlines()[-1]) == (0, f"{len(findings)} findings, none of them an error.")
