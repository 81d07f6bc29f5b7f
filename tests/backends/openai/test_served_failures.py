"""Servers that fail: what passes is asked again, what stays ends the run with what was answered, and no key is ever shown."""

import socket
import subprocess
import time

import pytest
from support.served_model import serving
from support.served_model_small import Letters, small_checkpoint

from backends.contract import GenerateRequest, Options, ScoreRequest, StreamRequest
from backends.openai.backend import ServedBackend
from backends.openai.waiting import LONGEST_ASKED, Waiting
from zoo.errors import ServerFailing, ServerRefused, ServerUnreachable

letters = Letters()
KEY = "sk-secret-0123456789"


def ids(text):
    return tuple(letters.encode([text])[0])


def requests(count):
    return [ScoreRequest(ids("context "), ids(f"ending {number}")) for number in range(count)]


FAILURES = {
    "a tenth of its connections dropped": {"drops": 10},
    "a third of its answers sent half": {"halves": 3},
    "busy at first": {"busy": 5},
    "busy without a time": {"busy": 5, "retry_after": None},
}


@pytest.mark.parametrize("how", FAILURES)
def test_what_passes_is_asked_again_and_nothing_is_lost_or_wrong(opened, table, how):
    backend, _ = opened(**FAILURES[how])
    asked = requests(40)
    answers = sorted(backend.score(asked), key=lambda answer: answer.index)
    assert [answer.index for answer in answers] == list(range(40))
    assert [answer.logprob for answer in answers] == pytest.approx([table.scored(each)[0] for each in asked])
    generated = list(backend.generate([GenerateRequest(ids(f"{number}"), 4) for number in range(20)]))
    assert len(generated) == 20


def test_a_server_that_dies_ends_the_call_behind_all_that_it_answered(opened):
    backend, does = opened(engine={"tries": 3, "concurrency": 2})
    does.fails_after = len(does.seen) + 10
    answers = []
    with pytest.raises(ServerFailing, match=r"500 at each of 3 tries .*EngineCore died") as raised:
        answers.extend(backend.score(requests(40)))
    assert raised.value.exit_code == 4
    assert len(answers) == 10


def test_a_caller_that_stops_early_waits_for_nothing_and_may_ask_again(opened):
    backend, does = opened(engine={"tries": 8})
    answers = backend.score(requests(40))
    next(answers)
    does.busy, does.retry_after = 10_000, "200"
    began = time.monotonic()
    answers.close()
    assert time.monotonic() - began < 20, "a pause of 200 s was waited for"
    does.busy = 0
    assert len(list(backend.score(requests(3)))) == 3


def test_a_stream_that_breaks_off_is_an_error_and_not_asked_again(opened):
    backend, does = opened()
    sent = len(does.seen)
    does.drops = 1

    class Feed:
        given = False

        def take(self, room, idle):
            if not self.given:
                self.given = True
                return [StreamRequest(0, ids("x"), 5)]
            return None if idle else ()

    with pytest.raises(ServerUnreachable, match="while it streamed"):
        list(backend.stream(Feed(), 1, 10, time.monotonic))
    assert len(does.seen) == sent


def test_a_key_is_sent_and_never_shown(opened, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    backend, does = opened(key=KEY, engine={"tries": 2})
    assert does.headers[-1]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in str(backend.versions) + repr(vars(backend))
    does.fails_after = 0
    with pytest.raises(ServerFailing, match=r"key was \[key\]") as raised:
        list(backend.score(requests(1)))
    assert KEY not in str(raised.value)
    monkeypatch.setenv("MINIZOO_ENDPOINT_KEY", "sk-wrong-9876543210")
    with pytest.raises(ServerRefused, match=r"401. The key was refused \(Incorrect key: Bearer \[key\]\)"):
        opened(key=KEY)


def test_a_server_that_wants_a_key_says_where_it_goes(opened):
    with pytest.raises(ServerRefused, match=r"No key was sent .*MINIZOO_ENDPOINT_KEY"):
        opened(key=KEY)


def opening(url, tries=1):
    return ServedBackend(small_checkpoint(), Options(endpoint=url, engine={"tries": tries}), Letters())


def test_no_server_there_is_one_paragraph(no_keys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(
        ServerUnreachable, match=rf"127\.0\.0\.1:{port} could not be asked at 1 tries .*Check that"
    ) as raised:
        opening(f"http://127.0.0.1:{port}")
    assert raised.value.exit_code == 4


def test_a_certificate_of_nobody_is_refused_at_once_and_one_of_a_known_authority_is_taken(
    table, no_keys, tmp_path, monkeypatch
):
    pair = [tmp_path / "key.pem", tmp_path / "cert.pem"]
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    san = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*made, *san, "-keyout", pair[0], "-out", pair[1]], check=True, capture_output=True)
    with serving(table, certificate=tuple(map(str, pair))) as (url, _):
        with pytest.raises(ServerUnreachable, match=r"certificate of https://127\.0\.0\.1.*cannot be turned off"):
            opening(url, tries=50)
        monkeypatch.setenv("SSL_CERT_FILE", str(pair[1]))
        assert opening(url).capabilities.score


def test_pauses_double_are_drawn_and_are_not_less_than_the_server_wants():
    waiting = Waiting(first=1.0, longest=8.0)
    for tries, pause in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 8)):
        drawn = {waiting.seconds(tries, None) for _ in range(20)}
        assert all(pause / 2 <= each <= pause for each in drawn)
        assert len(drawn) > 1
    assert waiting.seconds(1, 7.0) == 7.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("100000", LONGEST_ASKED),
        ("Thu, 01 Jan 1970 00:16:45 GMT", 5.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
    ],
)
def test_retry_after_is_read_in_both_forms(header, seconds):
    assert Waiting().wanted(header, now=1000.0) == seconds
