"""Workers over an engine of arithmetic that breaks on command: real processes that are really killed."""

import sys
from pathlib import Path

from backends.contract import Score, ScoreRequest
from backends.workers.backend import WorkerBackend
from backends.workers.launch import Launch
from backends.workers.worker import Worker

ENGINE = Path(__file__).parent.parent / "backends/workers/engines/scripted.py"


class Letters:
    """A tokenizer whose tokens are numbers."""

    bos_id = eos_id = None
    vocab_size = 1000

    def encode(self, texts, add_special_tokens=None):
        return [[int(word) for word in text.split()] for text in texts]

    def decode(self, tokens, skip_special_tokens=True):
        return " ".join(map(str, tokens))


def open_scripted(marks, device="cpu", python=sys.executable, command=(), environment=None, file=ENGINE, **engine):
    """A worker backend over `scripted.py`; `marks` is the folder that the engine leaves marks in."""
    marks.mkdir(exist_ok=True)
    launch = Launch("scripted", Path(file), marks, python, environment or {}, command)
    options = {"device": device, "engine": {"marks": str(marks), **engine}}
    return WorkerBackend(Worker(launch, {"folder": str(marks), "options": options}), Letters())


def asked(words, per_token=False):
    """A score request a word, each with a context that begins with it; what it is answered with is its place."""
    return [ScoreRequest((word, 2, 3), (place, 0), per_token) for place, word in enumerate(words)]


def right(places, per_token=False):
    """What the engine answers to `asked` at these places."""
    told = [(-float(place), 0.0) if per_token else None for place in places]
    return [Score(place, -float(place), True, one) for place, one in zip(places, told, strict=True)]


def taken(answers, into=None):
    """The answers in the order of their requests; with `into`, those that came before an error too."""
    into = [] if into is None else into
    for answer in answers:
        into.append(answer)
    return sorted(into, key=lambda answer: answer.index)


def is_alive(pid):
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
