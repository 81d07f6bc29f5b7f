"""Requests of lm-eval's, and `MinizooLM` beside HFLM over one folder: what the tests of the drop-in compare."""

from harness.lmeval.model import MinizooLM

LONG = "Once upon a time there was a big dog. " * 90
STORY = "Once upon a time"
PAIRS = [
    (STORY, " there was a little girl"),
    (STORY + " ", "there was a little girl"),
    (STORY, " there was a red ball"),
    ("", "Lily ran"),
    ("", "<s>Lily ran"),
    (" ", "Lily ran"),
    ("<s>One day", " Tim"),
    (LONG, " The end."),
]
TEXTS = ["", "One day.", "<s>One day.", LONG]
BOTH = ["minizoo", "hflm"]


def instance(kind, *arguments, task="t", doc=0, idx=0, repeats=1):
    from lm_eval.api.instance import Instance

    return Instance(kind, {}, arguments, idx, (task, doc, repeats))


def scored(pairs=PAIRS, task="t"):
    return [instance("loglikelihood", *pair, task=task, doc=at) for at, pair in enumerate(pairs)]


def rolling(texts=TEXTS):
    return [instance("loglikelihood_rolling", text, doc=at) for at, text in enumerate(texts)]


def generation(prompt=STORY, task="t", doc=0, repeats=1, **settings):
    return instance("generate_until", prompt, {"max_gen_toks": 12, **settings}, task=task, doc=doc, repeats=repeats)


class Opened:
    """One model of each kind for each set of arguments, opened once."""

    def __init__(self, folder):
        self.folder, self.known = folder, {}

    def __call__(self, which, **arguments):
        from lm_eval.models.huggingface import HFLM

        made = {"minizoo": MinizooLM, "hflm": HFLM}[which]
        key = which, tuple(sorted(arguments.items()))
        if key not in self.known:
            told = {"pretrained": str(self.folder), "dtype": "float32", "device": "cpu", **arguments}
            self.known[key] = made(**told)
        return self.known[key]

    def both(self, **arguments):
        return [self(which, **arguments) for which in BOTH]


class Spy:
    """An engine that notes what it is asked; `change` makes another answer of each."""

    def __init__(self, engine, change=lambda answer: answer):
        self._engine, self._change, self.asked = engine, change, []

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def score(self, requests):
        self.asked += requests
        return map(self._change, self._engine.score(requests))

    def generate(self, requests):
        self.asked += requests
        return map(self._change, self._engine.generate(requests))
