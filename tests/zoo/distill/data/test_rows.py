"""Rows: documents kept apart, nothing lost, the same batches whatever the ranks and micro-batches."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.paths import ROOT

from zoo.distill.batch import counted
from zoo.distill.data.packing import ID, LEAST, MUTE, START, Framing, Place, pack
from zoo.distill.data.rows import rows_in_memory
from zoo.errors import ConflictingOptions, InvalidOption, TokenOutsideVocabulary, TooLittleData

BOS, EOS = 0, 1
documents = st.lists(st.lists(st.integers(2, 9), max_size=12), max_size=8)
framings = st.builds(
    Framing, length=st.integers(2, 9), bos=st.sampled_from([None, BOS]), eos=st.sampled_from([None, EOS])
)


def pieces_of(words):
    """The documents' pieces of a row, padding left out."""
    starts = [*np.flatnonzero(words & START), len(words)]
    parts = [words[a:b] for a, b in itertools.pairwise(starts)]
    return [part & ID for part in parts if not part[0] & MUTE]


@given(documents=documents, framing=framings)
def test_no_token_of_a_document_is_lost_and_none_is_learnt_twice(documents, framing):
    rows = list(pack(documents, framing))
    assert all(len(row.words) == framing.length for row in rows)
    said = [int(word & ID) for row in rows for word in row.words if word < MUTE]
    assert len(said) == sum(row.learnt for row in rows)
    if framing.bos is not None:
        framed = [framing.framed(each).tolist() for each in documents if each]
        wanted = [ids[1:] for ids in framed if len(ids) >= LEAST]
        # what may be missing is the last token of a document whose other tokens filled a row
        missing = sum(len(ids) for ids in wanted) - len(said)
        assert 0 <= missing <= len(wanted)


@given(documents=documents, framing=framings)
def test_pieces_joined_are_the_documents(documents, framing):
    joined: list[int] = []
    for row in pack(documents, framing):
        for piece in pieces_of(row.words):
            joined += piece[int(framing.bos is not None) :].tolist()
    whole: list[int] = []
    for each in documents:
        ids = framing.framed(each).tolist() if each else []
        whole += ids[int(framing.bos is not None) :] if len(ids) >= LEAST else []
    at = iter(whole)
    assert all(token in at for token in joined)  # in order; only lone last tokens are left out
    assert len(whole) - len(joined) <= len(documents)


@given(documents=documents, framing=framings)
def test_packing_resumes_behind_any_row(documents, framing):
    whole = list(pack(documents, framing))
    for at, row in enumerate(whole):
        rest = list(pack(documents[row.after.documents :], framing, row.after))
        assert [each.words.tolist() for each in rest] == [each.words.tolist() for each in whole[at + 1 :]]
        assert [each.after for each in rest] == [each.after for each in whole[at + 1 :]]


def test_a_row_as_it_is():
    rows = rows_in_memory([[5, 6], [7, 8, 9]], Framing(6, BOS, EOS), 10)
    batch = rows.batch([0, 1])
    assert batch.ids.tolist() == [[0, 5, 6, 1, 0, 7], [0, 8, 9, 1, 1, 1]]
    assert batch.positions.tolist() == [[0, 1, 2, 3, 0, 1], [0, 1, 2, 3, 0, 1]]
    assert batch.weight.tolist() == [[0, 1, 1, 1, 0, 1], [0, 1, 1, 1, 0, 0]]
    assert counted(batch)[0].tolist() == [True, True, True, False, True, False]


def test_a_template_that_has_put_bos_and_eos_gets_them_once():
    assert Framing(8, BOS, EOS).framed([BOS, 5, EOS]).tolist() == [BOS, 5, EOS]


def test_one_token_of_room_is_padding():
    row = next(pack([[5, 6], [7, 8]], Framing(5, BOS, EOS)))
    assert row.words[4] == START | MUTE | np.uint32(EOS)
    assert row.after == Place(1, 0)


@pytest.fixture
def many():
    return rows_in_memory([[2 + n % 8] * (n % 5 + 1) for n in range(60)], Framing(8, BOS, EOS), 10, seed=4)


@pytest.mark.parametrize(("world", "micro"), [(1, 1), (1, 6), (2, 3), (3, 2), (6, 4)])
def test_a_step_has_the_same_rows_whatever_ranks_and_micro_batches(many, world, micro):
    whole = many.batches(5, 0, 1, 6, 6)[0]
    parts = [each for rank in range(world) for each in many.batches(5, rank, world, 6, micro)]
    assert torch.equal(torch.cat([each.ids for each in parts]), whole.ids)
    assert torch.equal(torch.cat([each.weight for each in parts]), whole.weight)
    assert [row for each in parts for row in each.rows] == list(whole.rows)
    assert len({len(many.batches(5, rank, world, 6, micro)) for rank in range(world)}) == 1


def test_an_epoch_of_steps_sees_each_row_once(many):
    steps = len(many) // 2
    seen = sorted(row for step in range(steps) for row in many.step_rows(step, 2))
    assert len(set(seen)) == 2 * steps


def test_batches_can_be_written_to_and_have_the_types_that_models_take(many):
    batch = many.batches(0, 0, 1, 2, 2)[0]
    assert (batch.ids.dtype, batch.positions.dtype, batch.weight.dtype) == (torch.int64, torch.int64, torch.float32)
    batch.ids.zero_()
    assert many.batches(0, 0, 1, 2, 2)[0].ids.any()


def test_batches_of_other_ids_have_other_digests(many):
    one, other = many.batches(0, 0, 1, 2, 1)
    assert one.digest == many.batch(one.rows).digest != other.digest


def test_a_batch_that_ranks_cannot_share_is_refused(many):
    with pytest.raises(ConflictingOptions, match=r"6 rows .* by 4 processes"):
        many.batches(0, 0, 4, 6, 1)


def test_a_step_of_more_rows_than_there_are_is_refused(many):
    with pytest.raises(TooLittleData, match="fewer than one step takes"):
        many.check_batch(1000)


def test_an_id_outside_the_vocabulary_is_refused_with_its_row():
    rows = rows_in_memory([[5, 6, 12]], Framing(8), 10)
    with pytest.raises(TokenOutsideVocabulary, match="Row 0 of the data has token id 12, the model a vocabulary of 10"):
        rows.batch([0])


@pytest.mark.parametrize("nothing", [[], [[]], [[5]]])
def test_nothing_to_learn_from_is_refused(nothing):
    with pytest.raises(TooLittleData):
        rows_in_memory(nothing, Framing(8), 10)


def test_a_length_that_leaves_nothing_to_predict_is_refused():
    with pytest.raises(InvalidOption):
        Framing(1)


def test_positions_and_text_are_those_that_the_nano_family_was_trained_with():
    from transformers import AutoTokenizer

    from zoo.nano import corpus
    from zoo.nano.rows import document_positions

    tokenizer = AutoTokenizer.from_pretrained(ROOT / "zoo/nano/weights/nano-teacher")
    texts = list(itertools.islice(corpus.documents(1), 20))
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    rows = rows_in_memory(ids, Framing(64, tokenizer.bos_token_id, tokenizer.eos_token_id), len(tokenizer))
    batch = rows.batch(range(len(rows)))
    inside = batch.ids[:-1]  # the last row is padded, by a document of its own
    assert torch.equal(batch.positions[:-1], document_positions(inside))
    assert tokenizer.decode(batch.ids.flatten(), skip_special_tokens=True) == "".join(texts)
