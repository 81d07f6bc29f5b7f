"""The `openai` backend: scores, generations and streams of a model that a server runs already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from backends.contract import (
    Capabilities,
    Feed,
    GenerateRequest,
    Generation,
    Options,
    Score,
    ScoreRequest,
    Step,
    Tokenizer,
)
from backends.openai.client import Client
from backends.openai.endpoint import SERVED, endpoint_of
from backends.openai.generating import Generating
from backends.openai.in_flight import in_flight
from backends.openai.opening import Found, find_out
from backends.openai.scoring import Scoring
from backends.openai.settings import eos_ids, file_settings
from backends.openai.streaming import streamed
from backends.openai.waiting import Waiting
from backends.tokenizer import HfTokenizer
from zoo.arch.config_keys import ConfigView
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import InvalidConfig, InvalidOption, NoPromptLogprobs, NoStreaming, UnsupportedRequest, WrongBackend

AT_ONCE = 16
"""Requests under way: enough to fill a server's batch, few enough that what shares a prefix is still cached."""
SETTINGS = {"concurrency": AT_ONCE, "tries": Waiting.tries}
"""Names of `Options.engine` that this backend knows, with what they are otherwise."""


def open_served(checkpoint: Checkpoint, options: Options) -> ServedBackend:
    """Ask the server of `options.endpoint` about the checkpoint; the entry point of this backend.

    The checkpoint gives tokenizer, vocabulary and context; none of its weights is read here. Raises InvalidEndpoint,
    WrongBackend and UnsupportedRequest for options that a running server cannot follow, and what `find_out` raises.
    """
    return ServedBackend(checkpoint, options)


class ServedBackend:
    """One model of one server. What it is was found out at opening; what its weights are nobody can say."""

    name = "openai"
    device = SERVED
    dtype = "as served"
    shares_prefixes = False
    """A server may; it is not known here."""

    def __init__(self, checkpoint: Checkpoint, options: Options, tokenizer: Tokenizer | None = None) -> None:
        settings = _settings(options)
        self.tokenizer = tokenizer or HfTokenizer(checkpoint.folder)
        self._vocabulary = _vocabulary(checkpoint)
        self._at_once = settings["concurrency"]
        self._client = Client(endpoint_of(options.endpoint), Waiting(tries=settings["tries"]))
        try:
            found = find_out(self._client, checkpoint.ref, self.tokenizer, self._vocabulary, checkpoint.max_length)
        finally:
            self._client.close()
        self._found = found
        length = min(checkpoint.max_length, found.served.length or checkpoint.max_length)
        streams = found.gives_ids and found.server.dialect.endless is not None
        self.capabilities = Capabilities(found.form is not None, True, streams, length)
        self.versions: Mapping[str, str] = _versions(found)
        self._scoring = Scoring(found, self._vocabulary, checkpoint.max_length)
        file = file_settings(checkpoint.folder)
        ends = eos_ids(file, checkpoint.config, self.tokenizer.eos_id)
        self._generating = Generating(found, self._vocabulary, length, file, ends)

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield Σ log p of each continuation as the server answers; ValueError for an empty part or an unknown token.

        Raises NoPromptLogprobs for a server that has none that are right, ServedTooLong for what does not fit.
        """
        if self._found.form is None:
            raise NoPromptLogprobs(
                f"{self._found.server.client.endpoint.shown} gives no log-probabilities of a prompt that are right: "
                f"{self._found.why_no_rows}. Scores from it would be chance.",
                "Score by a backend that has them (`--backend hf`, a `vllm serve`), and by this server what is generated.",
            )
        self._scoring.check(requests)
        order = sorted(range(len(requests)), key=lambda at: requests[at].context + requests[at].continuation)
        server = self._found.server.fresh()
        return in_flight(order, partial(self._scoring.answer, server, requests), self._at_once, server.client)

    def generate(self, requests: Sequence[GenerateRequest]) -> Iterator[Generation]:
        """Yield the new tokens of each prompt as the server answers; ValueError for an empty prompt or an unknown token.

        Raises ServedTooLong for what does not fit, UnsupportedRequest for a setting that the server has no field for.
        """
        bodies = self._generating.bodies(requests)
        order = sorted(range(len(requests)), key=lambda at: requests[at].prompt)
        server = self._found.server.fresh()
        ask = partial(self._generating.answer, server, requests, bodies)
        return in_flight(order, ask, self._at_once, server.client)

    def stream(self, feed: Feed, room: int, length: int, clock: Callable[[], float]) -> Iterator[Step]:
        """See `StreamingBackend`. A token's time is when its event reached this process; see `versions["times"]`."""
        if not self.capabilities.stream:
            raise NoStreaming("The server does not tell the ids of tokens as it streams them.", "Take `vllm serve`.")
        return streamed(self._found.server.fresh(), self._vocabulary, feed, room, clock)

    def peak_memory(self, reset: bool = False) -> int | None:
        """None: a server does not tell."""
        return None

    def close(self) -> None:
        """Nothing to give back: the server goes on."""
        self._client.close()


def _settings(options: Options) -> dict[str, int]:
    """The backend's own settings; refuses options that would have to change the server."""
    if options.random_weights:
        raise WrongBackend("A server runs the weights that it has: none are drawn.", "Use `--backend hf`.")
    placed = options.devices or options.workers or options.python or options.worker_command
    if placed or options.device != "auto" or options.dtype != "auto" or options.eager:
        raise InvalidOption(
            "--device, --devices, --workers, --python, --worker-command, --dtype and --eager say how a model is run, and a "
            "server runs this one already.",
            "Leave them out with --endpoint.",
        )
    if foreign := sorted(set(options.engine) - SETTINGS.keys()):
        raise UnsupportedRequest(
            f"{', '.join(foreign)} is no setting of the openai backend.", f"It has {', '.join(SETTINGS)}."
        )
    settings = {**SETTINGS, **options.engine}
    for name, value in settings.items():
        if type(value) is not int or not 0 < value <= 1024:
            raise UnsupportedRequest(f"{name}={value!r} is no number of them.", "Give one from 1 to 1,024.")
    return settings


def _vocabulary(checkpoint: Checkpoint) -> int:
    size = ConfigView(checkpoint.config).value("vocab_size")
    if type(size) is not int or size < 1:
        raise InvalidConfig(
            f"{checkpoint.folder / 'config.json'} has no usable vocab_size ({size!r}).", "Write it again."
        )
    return size


def _versions(found: Found) -> dict[str, str]:
    """What a record says of the server; nothing that changes from call to call, and no address."""
    prompts = "token ids" if found.server.takes_ids else "text, which is the same tokens again"
    answers = "token ids" if found.gives_ids else "text, cut into tokens here"
    scoring = f"{found.form} of the server{', apart from its cache' if found.salted else ''}" if found.form else "none"
    return {
        found.version[0]: found.version[1],
        "served model": found.served.id,
        "weights": "as served; nobody can see from here which they are",
        "prompts": prompts,
        "answers": answers,
        "scoring": scoring,
        "times": "the client's: network and HTTP are in them",
    }
