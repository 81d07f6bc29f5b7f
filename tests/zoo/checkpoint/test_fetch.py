"""A model from the hub: what is needed is fetched once, nothing else, and a cached one is taken without a network."""

import json

import pytest
from huggingface_hub import constants
from support.fake_hub import COMMIT, FakeHub

from zoo.checkpoint.fetch import small_names
from zoo.checkpoint.locate import locate
from zoo.errors import ForeignWeights, HubUnreachable, WeightsMissing

NAME = "someone/tiny"
CONFIG = ["config.json", "generation_config.json"]
FAST = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]
SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]


def shards_of(files):
    return sorted(name for name in files if name.endswith(".safetensors"))


def small(*names):
    return {name: json.dumps({"file": name}).encode() for name in names}


@pytest.mark.parametrize(
    ("needed", "others"),
    [
        ([*CONFIG, *FAST, "chat_template.jinja", "model.safetensors"], []),
        (["config.json", *FAST[1:], "vocab.json", "merges.txt", "model.safetensors"], []),
        (
            [*CONFIG, *FAST, *SHARDS, "model.safetensors.index.json"],
            ["consolidated.safetensors", "params.json", "original/tokenizer.model"],
        ),
        (
            [*CONFIG, *FAST, "chat_template.jinja", *SHARDS, "model.safetensors.index.json"],
            ["original/model.safetensors", "original/model.safetensors.index.json", "metal/model.bin", "README.md"],
        ),
        (
            [*CONFIG, "vocab.txt", "added_tokens.json", "tekken.json", "additional_chat_templates/tool_use.jinja"],
            ["pytorch_model.bin", "onnx/model.onnx", "model-q4_k.gguf", "model.fp16.safetensors", "modeling_x.py"],
        ),
        (["config.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model.v3"], ["adapter_model.safetensors"]),
    ],
    ids=["instruct", "byte-level", "mistral", "gpt-oss", "other forms", "sentencepiece"],
)  # fmt: skip
def test_the_patterns_take_what_a_model_needs_and_no_second_copy(needed, others):
    small = [name for name in needed if not name.startswith("model")]
    assert small_names([*needed, *others]) == sorted(small)


def test_a_model_in_one_file_is_fetched_with_its_small_files_and_nothing_twice(online, whole, sharded):
    template = "additional_chat_templates/tool_use.jinja"
    needed = {
        **whole,
        **small("tokenizer.json", "vocab.json", "merges.txt", "my.tiktoken", "chat_template.jinja", template),
    }
    beside = {name: content for name, content in sharded.items() if name not in whole}  # a stale index and its shards
    others = small("consolidated.safetensors", "original/tokenizer.model", "pytorch_model.bin", "x.gguf", "README.md")
    with FakeHub({NAME: {**needed, **beside, **others}}) as hub:
        online(hub)
        checkpoint = locate(NAME)
    assert sorted(hub.asked) == sorted(needed)
    assert checkpoint.revision == COMMIT
    assert (checkpoint.folder / template).is_file()


def test_shards_are_those_that_the_index_names_whatever_they_are_called(online, sharded):
    called = dict(zip(shards_of(sharded), [f"part[{n}].safetensors" for n in range(99)], strict=False))
    index = json.loads(sharded["model.safetensors.index.json"])
    index["weight_map"] = {tensor: called[name] for tensor, name in index["weight_map"].items()}
    files = {called.get(name, name): content for name, content in sharded.items()}
    files["model.safetensors.index.json"] = json.dumps(index).encode()
    with FakeHub({NAME: {**files, **small("part[.safetensors", "partn.safetensors")}}) as hub:
        online(hub)
        checkpoint = locate(NAME)
        assert sorted(hub.asked) == sorted(files)
        hub.asked.clear()
        digest = checkpoint.weights_digest()
        assert locate(NAME).weights_digest() == digest
        assert hub.asked == []


def test_a_cached_model_is_taken_without_a_network(online, sharded, monkeypatch):
    with FakeHub({NAME: sharded}) as hub:
        online(hub)
        folder = locate(NAME).folder
    assert locate(NAME).folder == folder  # the hub is gone
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert locate(NAME).folder == folder


def test_without_a_network_a_cache_lacking_small_files_is_told_and_one_lacking_weights_refused(
    online, sharded, monkeypatch, caplog
):
    with FakeHub({NAME: {**sharded, **small("vocab.json")}}) as hub:
        online(hub)
        folder = locate(NAME).folder
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    (folder / "vocab.json").unlink()
    assert locate(NAME).folder == folder
    assert "vocab.json" in caplog.text
    (folder / shards_of(sharded)[1]).unlink()
    with pytest.raises(HubUnreachable, match="someone/tiny"):
        locate(NAME)


def test_a_file_that_config_json_names_is_the_one_that_is_fetched(online, whole):
    config = json.dumps({**json.loads(whole["config.json"]), "transformers_weights": "own.safetensors"}).encode()
    files = {"config.json": config, "own.safetensors": whole["model.safetensors"]}
    with FakeHub({NAME: {**files, "model.safetensors": b"another"}}) as hub:
        online(hub)
        locate(NAME)
    assert sorted(hub.asked) == sorted(files)


@pytest.mark.parametrize(
    ("others", "error", "says"),
    [
        (["model-q4_k.gguf"], ForeignWeights, "GGUF"),
        (["flax_model.msgpack"], ForeignWeights, "Flax"),
        (["README.md"], WeightsMissing, "no weights"),
    ],
    ids=["GGUF", "Flax", "nothing"],
)
def test_a_repository_without_weights_that_are_read_is_refused_before_any_is_fetched(
    online, whole, others, error, says
):
    with FakeHub({NAME: {"config.json": whole["config.json"], **small(*others)}}) as hub:
        online(hub)
        with pytest.raises(error, match=says):
            locate(NAME)
    assert hub.asked == ["config.json"]
