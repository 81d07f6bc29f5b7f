"""Odd requests to the packed scorer: what has no score is refused before anything runs, the rest equals plain scoring."""

from types import SimpleNamespace

import pytest
from support.tiny_models import tiny
from support.tolerances import assert_logprobs

from backends.contract import ScoreRequest
from backends.hf.unpacked import unpacked_scores
from backends.packing.packed_model import PackedModel
from backends.packing.score import packed_scores

LONG = tuple(range(3, 150))
ODD = {
    "a context of one token": [((5,), (7, 8, 9))],
    "a context that is another's context and continuation": [((5, 6), (7, 8)), ((5, 6, 7, 8), (9,)), ((5, 6, 7), (8,))],
    "the same request three times": [(LONG, (4,))] * 3,
    "the same tokens cut into context and continuation elsewhere": [(LONG[:n], LONG[n:]) for n in (1, 40, 146)],
    "a request longer than a row": [(LONG, LONG), (LONG, LONG[::-1])],
    "one that is the beginning of another": [(LONG[:60], LONG[60:70]), (LONG[:60], LONG[60:])],
}


@pytest.fixture(scope="module")
def model():
    return tiny("llama")


@pytest.mark.parametrize("pairs", ODD.values(), ids=ODD)
@pytest.mark.parametrize("budget", [24, 64, 4096])
def test_odd_requests_score_as_they_do_alone(model, pairs, budget):
    requests = [ScoreRequest(context, continuation) for context, continuation in pairs]
    packed = {s.index: s.logprob for s in packed_scores(requests, PackedModel(model), budget)}
    plain = {s.index: s.logprob for s in unpacked_scores(model, requests, 4096)}
    tokens = [len(request.continuation) for request in requests]
    assert_logprobs([packed[i] for i in range(len(pairs))], [plain[i] for i in range(len(pairs))], tokens)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (ScoreRequest((), (5,)), "context"),
        (ScoreRequest((5,), ()), "continuation"),
        (ScoreRequest(tuple(range(1, 250)) * 9, (5,)), "fit"),
    ],
    ids=["empty context", "empty continuation", "longer than the model's context"],
)
def test_a_request_without_a_score_is_refused_before_anything_runs(request_, told, stories):
    from backends.contract import Options
    from backends.hf.backend import open_hf
    from zoo.checkpoint.locate import open_folder

    backend = open_hf(open_folder(stories), Options("cpu"))
    with pytest.raises(ValueError, match=told):
        backend.score([ScoreRequest((5,), (6,)), request_])


def test_an_ending_that_merges_into_its_context_is_refused_with_the_document(stories):
    from backends.tokenizer import HfTokenizer
    from harness.lmeval.encoding import Encoder
    from zoo.checkpoint.locate import open_folder
    from zoo.errors import InputError

    class Merging:
        """A tokenizer whose whole text is one token shorter than its parts."""

        bos_id, eos_id = 1, 2

        def __init__(self, inner):
            self._inner = inner

        def encode(self, texts, special=None):
            return [
                ids[:-1] if text.endswith("!") else ids
                for text, ids in zip(texts, self._inner.encode(texts, special), strict=True)
            ]

        def decode(self, ids, skip_special_tokens=True):
            return self._inner.decode(ids, skip_special_tokens)

    checkpoint = open_folder(stories)
    encoder = Encoder(Merging(HfTokenizer(checkpoint.folder)), checkpoint.max_length)
    instance = SimpleNamespace(args=("Once upon a time", "!"), request_type="loglikelihood", idx=0, repeats=1)
    documents = [SimpleNamespace(doc_id=17, instances=[instance])]
    with pytest.raises(InputError, match=r"document 17.*no token of its own"):
        encoder.units(SimpleNamespace(name="odd"), documents)
