"""Words that are no plain id: an address pasted whole means its id, an odd one is refused with what an id is."""

import pytest

from zoo.checkpoint.model_ref import resolve
from zoo.errors import FileMissing, InputError, UnknownModel

ADDRESSES = [
    "https://huggingface.co/owner/name",
    "http://huggingface.co/owner/name/",
    "huggingface.co/owner/name",
    "https://hf.co/owner/name/tree/main",
    "https://www.huggingface.co/owner/name?library=transformers#usage",
    "https://huggingface.co/owner/name/blob/main/config.json",
    "https://huggingface.co/owner/name.git",
    "hf://owner/name",
    "owner/name/",
]
ODD = [
    "owner/na me",
    "owner/../../etc",
    "owner/name\x1b[31m",
    "owner/name\x00",
    "owner/name\n",
    "\x1b]0;title\x07",
    "<script>alert(1)</script>",
    "owner/$(reboot)",
    "owner/name'; drop table records;--",
    "owner/--name",
    "owner/a..b",
    ".owner/name",
    "öwner/näme",
    "owner/n" + "a" * 5000,
    "x" * 100_000,
    "owner/name@main",
    "a/b/c/d",
    "owner/",
    "",
    " ",
    "~nobody-of-that-name/model",
    "owner/\ud800name",
    "\u202eeman/renwo",
]


@pytest.mark.parametrize("word", ADDRESSES)
def test_an_address_of_the_hub_means_the_id_in_it(word):
    assert (resolve(word).kind, resolve(word).id) == ("hub", "owner/name")


def test_an_address_of_a_registry_model_means_that_model():
    assert resolve("https://huggingface.co/nvidia/Minitron-8B-Base/tree/main").id == "minitron-8b"


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("https://huggingface.co/datasets/owner/name", "a data set"),
        ("https://huggingface.co/spaces/owner/name", "a space"),
        ("https://huggingface.co/owner", "no model's"),
        ("https://huggingface.co/owner/name/tree/v2", "Give `owner/name`"),
        ("https://example.com/owner/name", "neither a folder here nor a model's id"),
        ("https://[::1/owner/name", "neither a folder here nor a model's id"),
    ],
)
def test_an_address_of_something_else_says_of_what(word, says):
    with pytest.raises(UnknownModel, match=says):
        resolve(word)


@pytest.mark.parametrize("word", ODD, ids=range(len(ODD)))
def test_an_odd_word_is_refused_in_one_short_paragraph_of_plain_characters(word, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as refused:
        resolve(word)
    assert isinstance(refused.value, UnknownModel | FileMissing)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500


def test_a_folder_whose_name_looks_like_an_address_is_the_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "huggingface.co/owner/name").mkdir(parents=True)
    assert resolve("huggingface.co/owner/name").kind == "folder"
