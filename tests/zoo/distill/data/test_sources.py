"""What a word of the user's stands for, and what cannot be trained on, refused with what to do."""

import pytest

from zoo.distill.data.sources import HubData, parse_source, parse_sources, pinned
from zoo.errors import ConflictingOptions, InvalidOption, InvalidTrainingData


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.jsonl", "b.txt", "c.parquet", "mail@2.txt"):
        (tmp_path / name).write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("word", "name", "share"),
    [
        ("a.jsonl", "a.jsonl", None),
        ("a.jsonl@0.25", "a.jsonl", 0.25),
        ("b.txt@3", "b.txt", 3),
        ("mail@2.txt", "mail@2.txt", None),
        ("mail@2.txt@2", "mail@2.txt", 2),
    ],
)
def test_a_file_and_its_share(here, word, name, share):
    source = parse_source(word)
    assert (source.name, source.share, source.hub) == (name, share, None)
    assert [str(file) for file in source.files] == [name]


@pytest.mark.parametrize(
    ("word", "hub", "share"),
    [
        ("allenai/c4", HubData("allenai/c4"), None),
        ("allenai/c4:en", HubData("allenai/c4", "en"), None),
        ("allenai/c4:en:validation@0.5", HubData("allenai/c4", "en", "validation"), 0.5),
        ("wikitext::test", HubData("wikitext", None, "test"), None),
        ("owner/set-v1.5", HubData("owner/set-v1.5"), None),
    ],
)
def test_a_name_of_the_hub(here, word, hub, share):
    source = parse_source(word)
    assert (source.hub, source.share, source.path) == (hub, share, None)


def test_a_hub_data_set_is_pinned_to_a_commit_and_files_are_not(here):
    assert pinned(parse_source("owner/set"), "abc").hub == HubData("owner/set", revision="abc")
    assert pinned(parse_source("a.jsonl"), "abc") == parse_source("a.jsonl")


def test_a_folder_is_its_files_in_the_order_of_their_names(here):
    (here / "more" / ".cache").mkdir(parents=True)
    for name in ("2.jsonl", "10.txt", "README", "1.parquet", ".hidden.txt", ".cache/x.txt"):
        (here / "more" / name).write_text("")
    assert [file.name for file in parse_source("more").files] == ["1.parquet", "10.txt", "2.jsonl"]


@pytest.mark.parametrize("word", ["absent.jsonl", "absent.jsonl@2", "no/such/file.txt", "a b", "../x", ""])
def test_what_is_not_there_is_refused(here, word):
    with pytest.raises(InvalidTrainingData, match="There is no"):
        parse_source(word)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("x.jsonl.gz", "is compressed. Unpack"),
        ("x.jsonl.zst", "is compressed. Unpack"),
        ("x.json", "jq -c"),
        ("x.csv", "is a table"),
        ("x.npy", "holds token ids"),
        ("x.arrow", "save_to_disk"),
    ],
)
def test_files_of_another_kind_are_refused_with_the_way_out(here, name, told):
    (here / name).write_text("")
    with pytest.raises(InvalidTrainingData, match=told):
        parse_source(name)


def test_folders_without_text_or_with_several_splits_are_refused(here):
    (here / "none").mkdir()
    with pytest.raises(InvalidTrainingData, match="none has no file of text"):
        parse_source("none")
    (here / "none" / "dataset_dict.json").write_text("{}")
    with pytest.raises(InvalidTrainingData, match="none/train"):
        parse_source("none")


@pytest.mark.parametrize("share", ["0", "-1", "nan", "inf", "much", ""])
def test_a_share_that_is_none_is_refused(here, share):
    with pytest.raises(InvalidOption, match="is no share"):
        parse_source(f"a.jsonl@{share}")


def test_shares_are_given_to_all_or_to_none(here):
    with pytest.raises(ConflictingOptions, match=r"b\.txt has no share"):
        parse_sources(["a.jsonl@1", "b.txt"])
    assert [source.share for source in parse_sources(["a.jsonl@1", "b.txt@2"])] == [1, 2]


def test_a_source_is_given_once(here):
    with pytest.raises(ConflictingOptions, match=r"a\.jsonl is given twice"):
        parse_sources(["a.jsonl", "a.jsonl"])


def test_no_source_is_refused():
    with pytest.raises(InvalidTrainingData, match="no text to train on"):
        parse_sources([])
