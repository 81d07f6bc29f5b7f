"""A model of a table for tests of how a server is asked: the next token depends on the last two, a letter is a token. It is
served and scored by the same arithmetic, and needs no torch."""

import string
from dataclasses import replace

import numpy as np

from backends.contract import Generation, Step
from zoo.checkpoint.locate import locate

LETTERS = string.printable
VOCABULARY = len(LETTERS) + 2
BOS, EOS = 0, 1
KNOWN = {
    "model", "prompt", "max_tokens", "temperature", "top_p", "seed", "stop", "stream", "stream_options", "logprobs", "echo",
    "presence_penalty", "frequency_penalty",
}  # fmt: skip
LIKE_TRTLLM = KNOWN | {
    "add_special_tokens", "top_k", "min_p", "repetition_penalty", "min_tokens", "stop_token_ids", "ignore_eos",
}  # fmt: skip


class Letters:
    """A tokenizer: two special tokens without a text, then letters."""

    bos_id, eos_id, vocab_size = BOS, EOS, VOCABULARY

    def encode(self, texts, add_special_tokens=None):
        return [[LETTERS.index(letter) + 2 for letter in text] for text in texts]

    def decode(self, tokens, skip_special_tokens=True):
        return "".join(
            LETTERS[token - 2] if token > 1 else "" if skip_special_tokens else f"<{token}>" for token in tokens
        )


class Table:
    """log p of the next token, by a drawn table of the last token and another of the one before it."""

    tokenizer = Letters()

    def __init__(self, seed=0, ends=0.0):
        drawn = np.random.default_rng(seed)
        self.last, self.before = drawn.normal(0, 2, (2, VOCABULARY, VOCABULARY))
        self.last[:, :2] -= 30
        self.last[:, EOS] += ends
        self.last[3::5, 2 + LETTERS.index("e")] += 6

    def next(self, tokens):
        logits = self.last[tokens[-1]] + (self.before[tokens[-2]] if len(tokens) > 1 else 0)
        return logits - np.log(np.exp(logits).sum())

    def distributions(self, sequences, asked):
        for tokens, count in zip(sequences, asked, strict=True):
            yield np.stack([self.next(tokens[: at + 1]) for at in range(len(tokens) - count, len(tokens))])

    def scored(self, request):
        """(Σ log p, greedy) of a score request."""
        tokens, start = request.context + request.continuation, len(request.context)
        rows = [(self.next(tokens[:at]), tokens[at]) for at in range(start, len(tokens))]
        return sum(row[token] for row, token in rows), all(row.argmax() == token for row, token in rows)

    def generate(self, requests):
        for index, request in enumerate(requests):
            new = []
            while len(new) < request.max_new_tokens:
                new.append(int(self.next([*request.prompt, *new]).argmax()))
                if new[-1] == EOS:
                    yield Generation(index, tuple(new[:-1]), "stop")
                    break
                if any(stop in self.tokenizer.decode(new) for stop in request.stop):
                    yield Generation(index, tuple(new), "stop")
                    break
            else:
                yield Generation(index, tuple(new), "length")

    def stream(self, feed, room, length, clock):
        while (arrived := feed.take(room, True)) is not None:
            for request in arrived:
                new = []
                for _ in range(request.new_tokens):
                    new.append(int(self.next([*request.prompt, *new]).argmax()))
                    yield Step(clock(), ((request.index, new[-1]),))


def small_checkpoint(**config):
    """A checkpoint of that vocabulary: a server is never asked for more than its configuration."""
    found = locate("nano-teacher")
    return replace(found, config={**found.config, "vocab_size": VOCABULARY, **config})
