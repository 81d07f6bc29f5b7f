"""A document's loss is the model's own, whatever stands beside it in a batch."""

import numpy as np
import pytest
import torch
from support.tiny_models import tiny

import zoo.search.stages.held_out as held_out
from zoo.search.stages.held_out import HeldOut, document_losses

DOCUMENTS = HeldOut(tuple(tuple(range(3, 3 + length)) for length in (2, 9, 5, 17, 9, 3)))


def by_the_model(model, document):
    ids = torch.tensor([document])
    return model.eval()(input_ids=ids, labels=ids).loss.item() * (len(document) - 1)


@pytest.mark.parametrize("at_once", [1, 20, 8192])
def test_each_documents_loss_is_the_models_own(monkeypatch, at_once):
    monkeypatch.setattr(held_out, "AT_ONCE", at_once)
    monkeypatch.setattr(held_out, "LOGITS_AT_ONCE", 7)
    model = tiny("llama")
    found = document_losses(model, DOCUMENTS)
    expected = [by_the_model(model, document) for document in DOCUMENTS.documents]
    assert found == pytest.approx(expected, rel=1e-5)


def test_only_what_a_model_is_to_say_counts():
    assert DOCUMENTS.tokens.tolist() == [1, 8, 4, 16, 8, 2]


def test_what_is_not_finite_stays_so():
    model = tiny("llama")
    with torch.no_grad():
        model.get_input_embeddings().weight[5] = float("nan")
    found = document_losses(model, DOCUMENTS)
    assert np.isfinite(found[0])
    assert not np.isfinite(found[1])
