"""Overlap with tests: found by runs of words, told a task, kept in a file, left out when asked."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.distill.data.ngrams import COMMON, LEAST, SIZE, WORD, WordHashes, index_runs
from zoo.distill.data.overlap import HeldText, OverlapReport, OverlapSettings, TaskOverlap, measure_overlap
from zoo.distill.data.prepare import RowSettings, prepare
from zoo.distill.data.sources import HubData, Source, parse_sources

WORDS = [f"word{n}" for n in range(400)]


def sentence(seed, length=40):
    return " ".join(random.Random(seed).choices(WORDS, k=length))


HELD = [
    HeldText("arc", "0", sentence(1)),
    HeldText("arc", "1", sentence(2)),
    HeldText("hellaswag", "0", "A man is sitting on a roof; he starts."),  # nine words: known whole
    HeldText("hellaswag", "1", "Too short to be known."),
]


@pytest.fixture
def text(jsonl):
    return jsonl(
        "web.jsonl",
        [
            {"text": sentence(9)},
            {"text": f"{sentence(10)} {' '.join(sentence(1).split()[5:18]).upper()}! {sentence(11)}"},
            {"text": f"{sentence(12)} {' '.join(sentence(2).split()[5:17])} {sentence(13)}"},  # one word too few
            {"text": "He said: a man -- is sitting on a roof. He starts. And so on."},
            {"text": "Too short to be known."},
        ],
    )


def test_documents_that_stand_in_the_text_are_told_by_task(text, tmp_path):
    report = measure_overlap(parse_sources([str(text)]), HELD, tmp_path / "overlap.json")
    assert report.tasks == (
        TaskOverlap(task="arc", documents=2, judged=2, found=1),
        TaskOverlap(task="hellaswag", documents=2, judged=1, found=1),
    )
    (source,) = report.sources
    assert (source.documents, source.overlapping) == (5, (1, 3))
    assert source.places == {"arc/0": f"{text}:2", "hellaswag/0": f"{text}:4"}
    assert OverlapReport.model_validate_json((tmp_path / "overlap.json").read_bytes()) == report


def test_what_overlaps_is_left_out_of_the_rows(text, tokenizer, tmp_path):
    sources = parse_sources([str(text)])
    report = measure_overlap(sources, HELD, tmp_path / "overlap.json")
    settings = RowSettings(length=64, left_out=report.left_out)
    manifest = prepare(sources, tokenizer, settings, tmp_path / "rows", identities=report.identities)
    assert (manifest.sources[0].documents, manifest.sources[0].dropped) == (5, 2)
    whole = prepare(sources, tokenizer, RowSettings(length=64), tmp_path / "whole")
    assert manifest.tokens < whole.tokens
    content = b"".join(path.read_bytes()[::4] for path in (tmp_path / "rows").glob("*.u32"))
    assert b"said" not in content
    assert b"known" in content


def test_a_source_that_was_compared_is_not_read_again(text, jsonl, tmp_path, monkeypatch):
    file, more = tmp_path / "overlap.json", jsonl("more.jsonl", [{"text": sentence(2)}])
    first = measure_overlap(parse_sources([str(text)]), HELD, file)
    read = []
    monkeypatch.setattr(
        "zoo.distill.data.overlap.read_documents",
        lambda source, *rest: read.append(source.name) or original(source, *rest),
    )
    from zoo.distill.data.reading import read_documents as original

    second = measure_overlap(parse_sources([str(text), str(more)]), HELD, file)
    assert read == [str(more)]
    assert second.sources[0] == first.sources[0]
    assert [task.found for task in second.tasks] == [2, 1]
    measure_overlap(parse_sources([str(text)]), HELD[:1], file)
    assert read == [str(more), str(text)]  # other tests: compared anew


def test_a_broken_report_is_made_anew(text, tmp_path):
    (tmp_path / "overlap.json").write_text("{")
    assert measure_overlap(parse_sources([str(text)]), HELD, tmp_path / "overlap.json").sources[0].documents == 5


def test_a_stream_without_end_is_read_as_far_as_rows_can_reach(tmp_path, monkeypatch):
    def endless(data, name):
        while True:
            yield {"text": sentence(3, 10)}

    monkeypatch.setattr("zoo.distill.data.reading.hub_rows", endless)
    monkeypatch.setattr("zoo.distill.data.identity.revision_of", lambda data, name: "f" * 40)
    source = Source("owner/endless", hub=HubData("owner/endless"))
    report = measure_overlap([source], HELD, tmp_path / "o.json", settings=OverlapSettings(most_tokens=95))
    assert report.sources[0].documents == 10


def test_a_run_that_many_tests_share_is_their_template():
    template = sentence(20, 14)
    hashed = WordHashes()
    few = index_runs([f"{template} {sentence(n)}" for n in range(COMMON)], hashed)
    many = index_runs([f"{template} {sentence(n)}" for n in range(COMMON + 1)], hashed)
    assert few.held_in([hashed.of(template)]) == [set(range(COMMON))]
    assert many.held_in([hashed.of(template)]) == [set()]
    assert many.held_in([hashed.of(sentence(4))]) == [{4}]


few_words = st.lists(st.sampled_from("abc"), max_size=40).map(" ".join)


@given(held=st.lists(few_words, max_size=5), texts=st.lists(few_words, max_size=4))
def test_the_index_finds_what_the_definition_says(held, texts):
    hashed = WordHashes()
    found = index_runs(held, hashed).held_in([hashed.of(text) for text in texts])
    assert found == [{number for number, each in enumerate(held) if share_a_run(each, text)} for text in texts]


def share_a_run(held, text):
    words = held.split()
    size = min(SIZE, len(words))
    return len(words) >= LEAST and bool(runs_of(words, size) & runs_of(text.split(), size))


def runs_of(words, size):
    return {" ".join(words[at : at + size]) for at in range(len(words) - size + 1)}


def test_words_without_spaces_are_compared_by_character():
    assert WORD.findall("Das 東京タワー, l'été") == ["Das", *"東京タワ", "ー", "l", "été"]
    hashed = WordHashes()
    index = index_runs(["東京タワーは日本の東京都港区にある"], hashed)
    assert index.held_in([hashed.of("昨日、東京タワーは日本の東京都港区にあると聞いた")]) == [{0}]


def test_a_small_memory_of_words_changes_nothing(monkeypatch):
    monkeypatch.setattr("zoo.distill.data.ngrams.REMEMBERED", 3)
    small, large = WordHashes(), WordHashes()
    for seed in range(4):
        assert small.of(sentence(seed)).tolist() == large.of(sentence(seed)).tolist()


def test_settings_are_part_of_what_a_report_is_of(text, tmp_path):
    sources, file = parse_sources([str(text)]), tmp_path / "o.json"
    one = measure_overlap(sources, HELD, file)
    two = measure_overlap(sources, HELD, file, settings=OverlapSettings(skip_broken=True, most_tokens=7))
    assert (one.skip_broken, two.skip_broken, two.most_tokens) == (False, True, None)
