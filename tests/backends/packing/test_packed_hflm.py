"""Packed scores against lm-eval's own Hugging Face model on real data, for each family and each kind of task."""

from types import SimpleNamespace

import pytest
import torch
from support.tiny_models import config_of, tiny_of
from support.tolerances import assert_logprobs

TASKS = {
    "hellaswag": 10,
    "winogrande": 5,
    "arc_challenge": 25,
    "mmlu_professional_law": 5,
    "mmlu_abstract_algebra": 5,
    "mmlu_anatomy": 5,
    "truthfulqa_mc2": 0,
}
DOCUMENTS = 3
FAMILIES = ["llama", "mistral", "nemotron"]


@pytest.fixture(scope="module")
def tasks(data):
    """The first documents of each task, as lm-eval's instances."""
    from harness.lmeval.loading.tasks import load_tasks
    from harness.suites.suite import suite_of

    loaded = {}
    for name, shots in TASKS.items():
        (task,) = load_tasks(suite_of((name,), shots), data).tasks.values()
        task.task.set_fewshot_seed(1234)
        task.task.build_all_requests(limit=DOCUMENTS)
        loaded[name] = task
    return loaded


@pytest.fixture(scope="module", params=[*FAMILIES, "stories260k"])
def folder(request, stories, tmp_path_factory):
    """A checkpoint of the family with the vocabulary of stories260k, and a context that holds 25 shots of it."""
    if request.param == "stories260k":
        return stories
    made = tmp_path_factory.mktemp(request.param)
    tiny_of(config_of(request.param, vocab_size=512, max_position_embeddings=16384)).save_pretrained(made)
    for path in stories.glob("tokenizer*"):
        (made / path.name).write_bytes(path.read_bytes())
    return made


@pytest.fixture(scope="module")
def engines(folder):
    from lm_eval.models.huggingface import HFLM

    from backends.contract import Options
    from backends.hf.backend import open_hf
    from harness.lmeval.encoding import Encoder
    from zoo.checkpoint.locate import open_folder

    checkpoint = open_folder(folder)
    backend = open_hf(checkpoint, Options("cpu"))
    assert backend.versions["scoring"] == "packed"
    hflm = HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=1, softmax_dtype="float64")
    return SimpleNamespace(backend=backend, hflm=hflm, encoder=Encoder(backend.tokenizer, checkpoint.max_length))


def requests_of(engines, loaded):
    documents = [SimpleNamespace(doc_id=i.doc_id, instances=[i]) for i in loaded.task.instances]
    return [unit.request for unit in engines.encoder.units(loaded, documents)]


@pytest.mark.parametrize("name", TASKS)
def test_scores_equal_hflms(name, engines, tasks):
    instances = tasks[name].task.instances
    theirs = engines.hflm.loglikelihood(instances, disable_tqdm=True)
    requests = requests_of(engines, tasks[name])
    ours = sorted(engines.backend.score(requests), key=lambda score: score.index)
    for request, (logprob, greedy), mine in zip(requests, theirs, ours, strict=True):
        assert_logprobs(mine.logprob, logprob, len(request.continuation))
        assert mine.greedy == greedy


def test_a_whole_suite_in_one_call_gives_the_same_and_finishes_its_tasks_in_order(engines, tasks):
    names = list(TASKS)
    requests = {name: requests_of(engines, tasks[name]) for name in names}
    flat = [(name, request) for name in names for request in requests[name]]
    left = {name: len(requests[name]) for name in names}
    finished, together = [], {}
    for score in engines.backend.score([request for _, request in flat]):
        name = flat[score.index][0]
        together[score.index] = score.logprob
        left[name] -= 1
        if not left[name]:
            finished.append(name)
    assert finished[0] == names[0]
    at = 0
    for name in names:
        alone = sorted(engines.backend.score(requests[name]), key=lambda score: score.index)
        mine = [together[at + i] for i in range(len(alone))]
        assert_logprobs(mine, [score.logprob for score in alone], [len(r.continuation) for r in requests[name]])
        at += len(alone)


def test_every_token_of_wikitext_equals_the_models_own(engines, data):
    from harness.lmeval.loading.tasks import load_tasks
    from harness.suites.suite import suite_of

    (loaded,) = load_tasks(suite_of(("wikitext",), None), data).tasks.values()
    loaded.task.build_all_requests(limit=1)
    (request, *_) = requests_of(engines, loaded)
    request = type(request)(request.context, request.continuation[:2000], per_token=True)
    (score,) = engines.backend.score([request])
    whole = torch.tensor([request.context + request.continuation])
    with torch.no_grad():
        logits = engines.hflm.model(whole[:, :-1]).logits[0, -len(request.continuation) :]
    own = logits.double().log_softmax(-1).gather(1, whole[0, -len(request.continuation) :, None])[:, 0]
    assert_logprobs(score.token_logprobs, own)
