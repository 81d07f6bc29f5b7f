"""`MinizooLM`: minizoo's backends as a model of lm-eval's, in place of its own Hugging Face model (`HFLM` 0.4.13)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from lm_eval.models.utils import configure_pad_token, postprocess_generated_text
from tqdm import tqdm

from backends.contract import GenerateRequest, Generation, Score, ScoreRequest
from harness.lmeval.answering import UNNAMED, Group, answers, asked_of, generation_key, grouped, task_of
from harness.lmeval.encoding import Encoder, Unit, UnitKey
from harness.lmeval.loading.generation import request_options
from harness.lmeval.opening.arguments import read_arguments
from harness.lmeval.opening.opened import open_model
from harness.lmeval.requests import check_requests
from harness.lmeval.text_side import TextSide
from zoo.errors import UnsupportedRequest

NAME = "minizoo"
"""Among lm-eval's models."""
log = logging.getLogger(__name__)


class MinizooLM(TextSide):
    """A checkpoint on one of minizoo's backends, with the arguments and the answers of lm-eval's own Hugging Face model.

    `pretrained` is a folder, a hub id or a name of minizoo's registry. Raises what `read_arguments` and `open_model` raise.

        lm_eval.simple_evaluate(model=MinizooLM(pretrained=folder, dtype="float32"), tasks=["arc_easy"])
    """

    def __init__(self, pretrained: Any = None, **hflm_arguments: Any) -> None:
        super().__init__()
        given = read_arguments(pretrained, hflm_arguments)
        opened = open_model(given)
        self.pretrained = given.pretrained
        self.revision = opened.revision
        self.checkpoint = opened.checkpoint
        self.engine = opened.engine
        """The backend that answers."""
        self.encoder = Encoder(opened.tokenizer, opened.max_length, 0, given.prefix_token_id, given.add_bos_token)
        self.truncated: Counter[str] = Counter()
        """Task → requests that lost tokens on the left, of all calls since the model was made."""
        self.tokenizer = configure_pad_token(opened.tokenizer.inner)
        self.vocab_size: int = self.tokenizer.vocab_size
        self.add_bos_token = given.add_bos_token
        self.custom_prefix_token_id = given.prefix_token_id
        self.think_end_token = given.think_end_token
        self.enable_thinking = given.enable_thinking
        thinking = {} if given.enable_thinking is None else {"enable_thinking": given.enable_thinking}
        self.chat_template_args = {**given.chat_template_args, **thinking}
        self.batch_size_per_gpu = given.batch_size
        self._device: Any = torch.device(opened.engine.device)
        self._max_length = opened.max_length
        self._opened = opened
        self._seed = given.seed

    @property
    def seed(self) -> int:
        """Of sampled generations: the argument, else the one that torch was given, as lm-eval does for its `--seed`."""
        return torch.initial_seed() if self._seed is None else self._seed

    def get_model_info(self) -> dict[str, Any]:
        """What lm-eval's results say of a model. Nothing is asked of the hub: the commit is that of what was fetched."""
        return {
            "model_num_parameters": self._opened.parameters,
            "model_dtype": getattr(torch, self.engine.dtype, self.engine.dtype),
            "model_revision": self.revision,
            "model_sha": self.checkpoint.revision or "",
        }

    def close(self) -> None:
        """Give back the memory of host and device."""
        self.engine.close()

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """log p of each continuation after its context, and whether it is what greedy decoding writes.

        Raises UnsupportedRequest where the model is to think first, and what `_answered` raises.
        """
        if self.enable_thinking:
            tasks = ", ".join(sorted({each.task_name for each in requests if each.task_name}))
            raise UnsupportedRequest(
                f"enable_thinking=True does not go with log-likelihoods, which score a text that is given: task {tasks}.",
                "Leave enable_thinking out, or take tasks that generate.",
            )
        return self._scores(requests, disable_tqdm, lambda scores: (scores[0].logprob, scores[0].greedy))

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        """log p of each whole text, in windows of the context's length. Raises what `_answered` raises."""
        return self._scores(requests, disable_tqdm, lambda scores: sum(score.logprob for score in scores))

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """The text that follows each prompt, up to the first of its stop strings. Raises what `_answered` raises."""
        self.encoder.seed = self.seed
        found: list[Any] = [None] * len(requests)
        for group in self._answered(requests, disable_tqdm, generation_key):
            text = self._text_of(group.results[0], self.encoder.stops(requests[group.places[0]].args[1]))
            self._keep(requests, group, text, found)
        return found

    def _scores(self, requests: Sequence[Any], disable_tqdm: bool, value: Callable[[list[Any]], Any]) -> list[Any]:
        found: list[Any] = [None] * len(requests)
        for group in self._answered(requests, disable_tqdm, lambda each: each.args):
            self._keep(requests, group, value(group.results), found)
        return found

    def _keep(self, requests: Sequence[Any], group: Group, value: Any, found: list[Any]) -> None:
        """Into the call's answers, and at once into lm-eval's request cache: an interrupted run keeps it."""
        for place in group.places:
            found[place] = value
        first = requests[group.places[0]]
        self.cache_hook.add_partial(first.request_type, first.args, value)

    def _answered(self, requests: Sequence[Any], disable_tqdm: bool, key: Callable[[Any], Any]) -> Iterator[Group]:
        """Yield groups of requests of one kind as they are answered, all in one schedule; `key` as in `grouped`.

        Raises what `check_requests`, `Encoder.encode` and `answers` raise.
        """
        if not requests:
            return
        asked = asked_of(requests)
        for each in asked:
            check_requests(each.task, each.doc_id, (each.instance,))
        groups = grouped(requests, key)
        for group, units in zip(groups, self.encoder.encode([asked[group.places[0]] for group in groups]), strict=True):
            group.units = units
        self._count_cut(requests, groups)
        owners = [(group, at) for group in groups for at in range(len(group.units))]
        described = f"Running {requests[0].request_type} requests"
        with tqdm(total=len(requests), disable=disable_tqdm, desc=described) as bar:
            yield from (group for group in groups if not group.units)  # an empty text
            for place, result in answers(self.engine, [group.units[at] for group, at in owners], self._opened.rows):
                group, at = owners[place]
                group.by_unit[at] = result
                if len(group.by_unit) == len(group.units):
                    bar.update(len(group.places))
                    yield group

    def _count_cut(self, requests: Sequence[Any], groups: Sequence[Group]) -> None:
        """A score that is asked for several times is one; a generation is one each time, as in the records."""
        cut: Counter[str] = Counter()
        for group in groups:
            if any(unit.cut for unit in group.units):
                generates = isinstance(group.units[0].request, GenerateRequest)
                one = {place if generates else id(requests[place]): place for place in group.places}
                cut.update(task_of(requests[place]) for place in one.values())
        self._tell_cut(cut)

    def _tell_cut(self, cut: Counter[str]) -> None:
        for task, count in cut.items():
            many = f"{count:,} requests" if count > 1 else "one request"
            log.warning(
                "task %s: %s longer than the context of %s tokens, cut on the left as by HFLM.",
                task,
                many,
                f"{self.max_length:,}",
            )
        self.truncated.update(cut)

    def _text_of(self, result: Generation, stops: list[str]) -> str:
        """The answer without its thoughts, up to the first stop."""
        tokens, end = list(result.tokens), self.think_end_token
        if isinstance(end, int) and end in tokens:
            tokens = tokens[len(tokens) - tokens[::-1].index(end) :]
        text = self.tok_decode(tokens)
        text = text.lstrip() if isinstance(end, int) else text
        return postprocess_generated_text(text, stops, end if isinstance(end, str) else None)

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], disable_tqdm: bool = False, **_: Any
    ) -> list[tuple[float, bool]]:
        """As `loglikelihood`, of requests that are encoded: ((context, continuation) or None, and the token ids of both)."""
        units: list[Unit] = []
        for at, (_text, context, continuation) in enumerate(requests):
            cut = max(0, len(context) + len(continuation) - (self.max_length + 1))
            request = ScoreRequest(tuple(context[cut:]), tuple(continuation))
            units.append(Unit(UnitKey(UNNAMED, at, 0, 0), UNNAMED, request, cut))
        self._tell_cut(Counter(unit.task for unit in units if unit.cut))
        found: list[Any] = [None] * len(units)
        with tqdm(total=len(units), disable=disable_tqdm, desc="Running loglikelihood requests") as bar:
            for place, score in answers(self.engine, units, self._opened.rows):
                assert isinstance(score, Score)
                found[place] = score.logprob, score.greedy
                if requests[place][0] is not None:
                    self.cache_hook.add_partial("loglikelihood", requests[place][0], found[place])
                bar.update()
        return found

    def _model_generate(self, context: torch.Tensor, max_length: int, stop: list[str], **settings: Any) -> torch.Tensor:
        """Prompts of one length and what follows them, padded on the right, up to `max_length` tokens in all."""
        units: list[Unit] = []
        for at, prompt in enumerate(context.tolist()):
            options = request_options({**settings, "max_length": max_length}, len(prompt))
            request = GenerateRequest(tuple(prompt), stop=tuple(stop), seed=self.seed + at, **options)
            units.append(Unit(UnitKey(UNNAMED, at, 0, 0), UNNAMED, request))
        rows: dict[int, Any] = dict(answers(self.engine, units, self._opened.rows))
        whole = [torch.tensor([*context[at].tolist(), *rows[at].tokens]) for at in range(len(units))]
        return torch.nn.utils.rnn.pad_sequence(whole, True, self.tokenizer.pad_token_id)


def register() -> None:
    """Make `minizoo` a name of lm-eval's models, beside its own; once more does nothing."""
    import lm_eval.models  # first: it registers lm-eval's own
    from lm_eval.api.registry import model_registry

    assert lm_eval.models
    if NAME not in model_registry:
        model_registry.register(NAME, target=MinizooLM)
