"""A backend that a test tells what to answer, in the place of the one that would be opened: a third party's, so to speak."""

from collections.abc import Callable

from backends.contract import Capabilities, Generation, Score
from backends.tokenizer import HfTokenizer
from zoo.checkpoint.model_ref import resolve


class AnsweringBackend:
    """Answers every request in order by `score` and `generate`, functions of its place and itself; counts what it gave."""

    name, device, dtype = "answering", "cpu", "float32"

    def __init__(
        self,
        score: Callable = lambda index, _: Score(index, -1.0 - index / 100, False),
        generate: Callable = lambda index, _: Generation(index, (5, 6), "stop"),
    ) -> None:
        self.versions = {"answering": "1"}
        self.capabilities = Capabilities(score=True, generate=True, stream=False, max_length=512)
        self.tokenizer = HfTokenizer(resolve("nano-teacher").folder)
        self._score, self._generate = score, generate
        self.given = 0

    def score(self, requests):
        yield from self._each(self._score, requests)

    def generate(self, requests):
        yield from self._each(self._generate, requests)

    def close(self):
        pass

    def _each(self, answer, requests):
        for index, request in enumerate(requests):
            result = answer(index, request)
            self.given += 1
            yield result
