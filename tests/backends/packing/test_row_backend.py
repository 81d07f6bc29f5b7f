"""`RowScoring`: a third party's backend answers rows, and gets packing."""

from itertools import pairwise

import numpy as np
import pytest
from support.score_requests import in_order, requests
from support.tolerances import assert_logprobs

from backends.contract import Capabilities, OutOfMemory, ScoreRequest
from backends.packing import Answers, RowScoring
from backends.packing.score import tree_of


class BigramBackend(RowScoring):
    """A third party's engine: one method. Its model knows only the last token."""

    capabilities = Capabilities(score=True, generate=False, stream=False, max_length=2048)
    row_budget = 50

    def __init__(self):
        table = np.random.default_rng(0).normal(size=(300, 300))
        self.logp = table - np.log(np.exp(table).sum(1, keepdims=True))

    def run_row(self, row):
        of = self.logp[row.tokens[row.scored - row.start]][row.asked]
        return Answers(of[np.arange(len(of)), row.targets].astype(np.float32), of.argmax(1) == row.targets)


def test_a_third_party_gets_packing_by_one_method():
    backend = BigramBackend()
    for request, score in zip(requests(), in_order(backend.score(requests())), strict=True):
        tokens = [*request.context, *request.continuation][len(request.context) - 1 :]
        expected = sum(backend.logp[a, b] for a, b in pairwise(tokens))
        assert_logprobs(score.logprob, expected, len(request.continuation))


def test_path_tokens_suffice_for_an_engine_without_a_cache():
    asked = requests()[:8]
    tree = tree_of(asked)
    start = 0
    while start < len(tree):
        row = tree.row(start, tree.cut(start, 40))
        assert row.path_tokens.tolist() == tree.tokens[row.path].tolist()
        start = row.stop


def test_a_row_without_memory_is_asked_in_halves():
    class Small(BigramBackend):
        def run_row(self, row):
            if len(row) > 20:
                raise OutOfMemory("20 tokens at most")
            return super().run_row(row)

    whole, halves = (in_order(backend.score(requests())) for backend in (BigramBackend(), Small()))
    assert whole == halves


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        BigramBackend().score([ScoreRequest((5,) * 2048, (6, 7))])
