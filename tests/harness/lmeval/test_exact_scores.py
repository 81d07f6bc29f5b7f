"""What the arithmetic gives: log-likelihoods in fp32 against the same model in fp64, ours and those of lm-eval's own model."""

from types import SimpleNamespace

import numpy as np
import pytest
from support.exact import exact_scores
from support.tolerances import assert_logprobs

DOCUMENTS = 20
FURTHER = 1.25
"""How much larger than HFLM's our error may be: two orders of the same sums differ by chance."""


@pytest.fixture(scope="module")
def answers(stories, data):
    """Σ log p of each ending of HellaSwag: ours, HFLM's, the exact one, and the tokens of the ending."""
    from lm_eval.models.huggingface import HFLM

    from backends.contract import Options
    from backends.hf.backend import open_hf
    from harness.lmeval.encoding import Encoder
    from harness.lmeval.loading.tasks import load_tasks
    from harness.suites.suite import suite_of
    from zoo.checkpoint.locate import open_folder

    (loaded,) = load_tasks(suite_of(("hellaswag",), 0), data).tasks.values()
    loaded.task.build_all_requests(limit=DOCUMENTS)
    instances = loaded.task.instances
    checkpoint = open_folder(stories)
    backend = open_hf(checkpoint, Options("cpu", "float32"))
    encoder = Encoder(backend.tokenizer, checkpoint.max_length)
    documents = [SimpleNamespace(doc_id=i.doc_id, instances=[i]) for i in instances]
    requests = [unit.request for unit in encoder.units(loaded, documents)]
    ours = [score.logprob for score in sorted(backend.score(requests), key=lambda score: score.index)]
    lm = HFLM(pretrained=str(stories), dtype="float32", device="cpu", batch_size=8)
    theirs = [logprob for logprob, _ in lm.loglikelihood(instances, disable_tqdm=True)]
    exact = [logprob for logprob, _ in exact_scores(stories, requests)]
    return np.array(ours), np.array(theirs), np.array(exact), [len(request.continuation) for request in requests]


def test_ours_lie_within_the_rounding_of_their_tokens_of_exact_ones(answers):
    ours, _, exact, tokens = answers
    assert len(ours) == 4 * DOCUMENTS
    assert_logprobs(ours, exact, tokens)


def test_ours_are_as_near_to_exact_ones_as_those_of_lm_evals_model(answers):
    ours, theirs, exact, _ = answers
    assert error(ours, exact) <= FURTHER * error(theirs, exact)


def error(found, exact):
    return np.sqrt(np.mean((found - exact) ** 2))
