"""What another process says of a pickled file is believed only where the file bears it out, and only of a plain state dict."""

from pathlib import Path

import pytest
from support.tiny_checkpoints import SHAPE

from zoo.checkpoint.pickled.archive import Archive
from zoo.checkpoint.pickled.reader_process import Listed
from zoo.checkpoint.pickled.sources import sources
from zoo.errors import PickleUnreadable, UnsupportedDtype, WeightsMismatch, WeightsMissing

FILE = Archive(Path("/m/pytorch_model.bin"), {64: 96, 192: 24})
OTHER = Archive(Path("/m/other.bin"), {64: 96})
TIED = {"model_type": "other", "tie_word_embeddings": True}


def tensor(*path, shape=(2, 3), strides=None, offset=0, start=192, size=24, dtype="float32"):
    strides = strides or tuple(torch_strides(shape))
    return Listed(path, dtype, shape, strides, offset, start, size)


def torch_strides(shape):
    return [length_of(shape[at + 1 :]) for at in range(len(shape))]


def length_of(shape):
    product = 1
    for length in shape:
        product *= length
    return product


def names(listed, config=TIED):
    return [source.name for source in sources([FILE], [listed], config).tensors]


def test_a_state_dict_is_taken_as_it_is():
    assert names([tensor("a"), tensor("b.weight", start=64, size=96)]) == ["a", "b.weight"]


@pytest.mark.parametrize("key", ["state_dict", "model", "module", "model_state_dict"])
def test_a_state_dict_that_stands_alone_under_a_trainers_key_is_taken_and_told(key):
    found = sources([FILE], [[tensor(key, "a"), tensor(key, "b")]], TIED)
    assert [source.name for source in found.tensors] == ["a", "b"]
    assert found.remarks == [f"its tensors stand under {key!r}"]


@pytest.mark.parametrize(
    "other", [("optimizer", "state", "0"), ("ema", "a"), ("model", "deeper", "a"), ("loss",)], ids=lambda path: path[0]
)
def test_what_holds_more_tensors_than_a_models_is_refused(other):
    with pytest.raises(PickleUnreadable, match="which are the model's is not said"):
        names([tensor("model", "a"), tensor(*other)])


def test_a_prefix_of_every_name_is_taken_off_and_told():
    found = sources([FILE], [[tensor("module.a"), tensor("module.b")]], TIED)
    assert [source.name for source in found.tensors] == ["a", "b"]
    assert found.remarks == ["'module.' was taken off every name"]
    assert names([tensor("module.a"), tensor("b")]) == ["module.a", "b"]


OUTSIDE = {
    "another record": {"start": 70},
    "past its storage": {"shape": (3, 3)},
    "past it by strides": {"strides": (4, 1)},
    "past it by its offset": {"offset": 1},
    "a longer storage than the record": {"size": 48},
    "each number many times": {"shape": (1000, 3), "strides": (0, 1)},
    "before the file": {"start": -8},
    "backwards": {"strides": (-3, 1), "offset": 3},
    "fewer strides than dimensions": {"strides": (1,)},
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_a_tensor_that_does_not_lie_in_its_record_is_refused(case):
    with pytest.raises(PickleUnreadable, match="does not lie in"):
        names([tensor("a", **OUTSIDE[case])])


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "complex64", "quint8"])
def test_a_dtype_that_is_not_converted_is_named(dtype):
    with pytest.raises(UnsupportedDtype, match=dtype):
        names([tensor("a", dtype=dtype)])


def test_a_head_that_is_the_table_is_written_once_only_where_config_json_ties_them():
    listed = [tensor("model.embed_tokens.weight"), tensor("lm_head.weight")]
    assert names(listed) == ["model.embed_tokens.weight"]
    assert names(listed, {**TIED, "tie_word_embeddings": False}) == ["model.embed_tokens.weight", "lm_head.weight"]
    apart = [tensor("model.embed_tokens.weight"), tensor("lm_head.weight", start=64, size=96)]
    assert names(apart) == ["model.embed_tokens.weight", "lm_head.weight"]


def test_a_name_in_two_files_is_refused():
    with pytest.raises(WeightsMismatch, match="mixes two saves"):
        sources([FILE, OTHER], [[tensor("a")], [tensor("a", start=64, size=96)]], TIED)


def test_fewer_parameters_than_config_json_calls_for_are_refused_before_anything_is_written():
    with pytest.raises(WeightsMissing, match=r"holds 6 parameters where its config\.json calls for"):
        names(
            [tensor("a")], {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", **SHAPE}
        )
    with pytest.raises(WeightsMissing, match="holds no tensor"):
        names([])
