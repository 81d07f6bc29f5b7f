"""A good server's answers are the model's own numbers, in each form in which servers give them."""

import pytest
from support.served_model_small import EOS, LIKE_TRTLLM, Letters, Table, small_checkpoint

from backends.contract import GenerateRequest, Options, ScoreRequest, StreamRequest
from backends.openai.backend import ServedBackend
from zoo.errors import (
    InvalidEndpoint,
    InvalidOption,
    NoPromptLogprobs,
    NoStreaming,
    ServedTooLong,
    UnsupportedRequest,
    WrongBackend,
)

letters = Letters()


def ids(text):
    return tuple(letters.encode([text])[0])


SCORES = [
    ScoreRequest(ids("a shared beginning, "), ids("then this")),
    ScoreRequest(ids("another"), ids("?")),
    ScoreRequest(ids("a shared beginning, "), ids("or that"), per_token=True),
    ScoreRequest((EOS,), ids("x")),
]


def of(answers):
    return sorted(answers, key=lambda answer: answer.index)


@pytest.mark.parametrize("rows", ["vllm", "echo", "echo by id"])
def test_scores_are_the_models_own_in_every_form_of_rows(opened, table, rows):
    backend, _ = opened(rows=rows)
    best = table.next(SCORES[0].context).argmax()
    asked = [*SCORES, ScoreRequest(SCORES[0].context, (int(best),))]
    for answer, request in zip(of(backend.score(asked)), asked, strict=True):
        logprob, greedy = table.scored(request)
        assert answer.logprob == pytest.approx(logprob, abs=1e-9)
        assert answer.greedy == greedy
    assert of(backend.score(asked))[-1].greedy
    each = of(backend.score(asked))[2].token_logprobs
    assert each is not None
    assert len(each) == len(ids("or that"))
    assert sum(each) == pytest.approx(table.scored(SCORES[2])[0])


def test_requests_that_share_a_beginning_are_sent_next_to_each_other(opened):
    backend, does = opened(engine={"concurrency": 1})
    before = len(does.seen)
    list(backend.score(SCORES))
    sent = [tuple(body["prompt"]) for body in does.seen[before:]]
    assert sent == sorted(sent)
    assert len(sent) == len(SCORES)


def test_generations_are_the_models_own_tokens(opened, table):
    backend, _ = opened()
    (endless,) = table.generate([GenerateRequest(ids("stop at a letter"), 12)])
    stop = letters.decode(endless.tokens[6:7])
    asked = [
        GenerateRequest(ids("say something"), 12),
        GenerateRequest(ids("stop at a letter"), 40, stop=(stop,)),
        GenerateRequest(ids("one"), 1),
    ]
    expected = list(table.generate(asked))
    assert [(a.tokens, a.finish) for a in of(backend.generate(asked))] == [(e.tokens, e.finish) for e in expected]
    assert expected[1].finish == "stop", "the test must meet its stop string"


def test_the_token_that_ends_a_text_is_left_out(opened):
    model = Table(ends=39)
    backend, _ = opened(model=model)
    asked = [GenerateRequest(ids("end"), 40)]
    (expected,) = model.generate(asked)
    (answer,) = backend.generate(asked)
    assert expected.finish == answer.finish == "stop"
    assert len(answer.tokens) < 40
    assert answer.tokens == expected.tokens


def test_a_server_of_text_alone_generates_the_same_and_scores_nothing(opened, table):
    backend, does = opened(takes_ids=False, gives_ids=False, owner="somebody")
    asked = [GenerateRequest(ids("say something"), 12)]
    (expected,), (answer,) = table.generate(asked), backend.generate(asked)
    assert answer.tokens == expected.tokens
    assert does.seen[-1]["prompt"] == "say something"
    assert "text" in backend.versions["prompts"]
    assert not backend.capabilities.score
    assert not backend.capabilities.stream
    with pytest.raises(NoPromptLogprobs, match="takes text"):
        backend.score(SCORES)
    with pytest.raises(NoStreaming):
        backend.stream(_Feed([]), 1, 20, lambda: 0.0)


def test_a_server_that_refuses_fields_of_others_gets_its_own(opened):
    backend, does = opened(owner="tensorrt_llm", takes=LIKE_TRTLLM, gives_ids=False, rows="none", length=None)
    (answer,) = backend.generate([GenerateRequest(ids("say something"), 12)])
    assert len(answer.tokens) == 12
    assert backend.capabilities.max_length == 512
    assert all(set(body) <= LIKE_TRTLLM for body in does.seen)


def test_a_proxys_server_is_asked_until_a_form_is_taken(opened):
    backend, does = opened(owner="a-proxy", takes=LIKE_TRTLLM, gives_ids=False, rows="none")
    assert backend.capabilities.generate
    assert "return_token_ids" not in does.seen[-1]


class _Feed:
    def __init__(self, batches):
        self.batches = list(batches)

    def take(self, room, idle):
        if self.batches:
            assert room >= len(self.batches[0])
            return self.batches.pop(0)
        return None if idle else ()


def test_streams_are_the_models_tokens_with_times_that_rise(opened, table):
    backend, _ = opened()
    requests = [StreamRequest(7, ids("first"), 5), StreamRequest(8, ids("second"), 3)]
    times = iter(range(1000))
    steps = list(backend.stream(_Feed([requests]), 4, 50, lambda: float(next(times))))
    for request in requests:
        came = [token for step in steps for index, token in step.tokens if index == request.index]
        (expected,) = table.generate([GenerateRequest(request.prompt, request.new_tokens)])
        assert tuple(came) == expected.tokens
        at = [step.time for step in steps if step.tokens[0][0] == request.index]
        assert at == sorted(at)
    assert "client" in backend.versions["times"]
    assert backend.peak_memory() is None


def test_what_does_not_fit_is_never_sent(opened):
    backend, does = opened(length=64)
    assert backend.capabilities.max_length == 64
    sent = len(does.seen)
    with pytest.raises(ServedTooLong, match=r"64 tokens.*context of 64") as raised:
        backend.score([ScoreRequest(ids("a") * 60, ids("b") * 4)])
    assert isinstance(raised.value, ValueError)
    with pytest.raises(ServedTooLong):
        backend.generate([GenerateRequest(ids("a") * 60, 5)])
    with pytest.raises(ValueError, match="not all among"):
        backend.score([ScoreRequest(ids("a"), (102,))])
    with pytest.raises(ValueError, match="at least one token"):
        backend.generate([GenerateRequest((), 5)])
    assert len(does.seen) == sent
    assert len(list(backend.score([ScoreRequest(ids("a") * 59, ids("b") * 4)]))) == 1
    assert len(list(backend.generate([GenerateRequest(ids("a") * 60, 4)]))) == 1


def test_a_server_with_two_positions_more_scores_all_that_the_model_attends_to(opened):
    """The model's own context is 512: with it a sequence of 513 has a score, its last token only predicted."""
    assert len(list(opened(length=514)[0].score([ScoreRequest(ids("a") * 500, ids("b") * 13)]))) == 1
    with pytest.raises(ServedTooLong, match="does not fit into a context of 512"):
        opened(length=600)[0].score([ScoreRequest(ids("a") * 500, ids("b") * 14)])
    with pytest.raises(ServedTooLong, match=r"context of 512.*max-model-len"):
        opened(length=512)[0].score([ScoreRequest(ids("a") * 500, ids("b") * 12)])


def test_the_model_is_found_by_its_names_and_by_the_one_behind_a_sharp(opened):
    assert opened(name="", others=("another",))[0].versions["served model"] == "nano-teacher"
    backend, does = opened(name="#another", others=("another",))
    assert backend.versions["served model"] == "another"
    assert does.seen[-1]["model"] == "another"
    assert opened(name="/v1/#prod%2Fteacher", others=("prod/teacher",))[0].versions["served model"] == "prod/teacher"


def test_a_record_has_what_the_server_says_and_nothing_that_changes(opened):
    backend, _ = opened()
    again, _ = opened()
    assert backend.versions == again.versions
    assert backend.versions["vllm"] == "0.0.test"
    assert opened(owner="a-proxy")[0].versions["server"] == "0.0.test"
    assert "as served" in backend.versions["weights"]
    assert backend.device == "served"
    assert "127.0.0.1" not in str(backend.versions)


def test_options_that_a_running_server_cannot_follow_are_refused():
    def opening(**options):
        ServedBackend(small_checkpoint(), Options(**options), Letters())

    with pytest.raises(InvalidEndpoint, match="no --endpoint"):
        opening()
    with pytest.raises(WrongBackend):
        opening(endpoint="http://127.0.0.1:1", random_weights=True)
    with pytest.raises(InvalidOption, match="--workers"):
        opening(endpoint="http://127.0.0.1:1", workers=2)
    with pytest.raises(UnsupportedRequest, match="gpu_memory"):
        opening(endpoint="http://127.0.0.1:1", engine={"gpu_memory": 1})
    with pytest.raises(UnsupportedRequest, match="concurrency"):
        opening(endpoint="http://127.0.0.1:1", engine={"concurrency": 0})
