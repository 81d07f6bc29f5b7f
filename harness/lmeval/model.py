"""`MinizooLM`: minizoo's backends as a model of lm-eval's, in place of its own Hugging Face model (`HFLM` 0.4.13)."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import (
    DEFAULT_MAX_LENGTH,
    configure_pad_token,
    postprocess_generated_text,
    resolve_max_length,
)
from tqdm import tqdm

from backends.contract import Generation, Score, ScoreRequest
from backends.tokenizer import chat_text
from harness.lmeval.answering import answers
from harness.lmeval.arguments import read_arguments
from harness.lmeval.encoding import Asked, Encoder, Unit, UnitKey
from harness.lmeval.loading.generation import MAX_NEW_TOKENS, samples
from harness.lmeval.opened import open_model
from harness.lmeval.token_rules import special_tokens
from zoo.arch.config_keys import ConfigView
from zoo.errors import UnsupportedRequest

NAME = "minizoo"
UNNAMED = "unnamed"
"""The task of a request that names none."""

log = logging.getLogger(__name__)


class MinizooLM(TemplateLM):
    """A checkpoint on one of minizoo's backends, with the arguments and the answers of lm-eval's own Hugging Face model.

    `pretrained` is a folder, a hub id or a name of minizoo's registry. Raises what `read_arguments` and `open_model` raise.

    >>> lm_eval.simple_evaluate(model=MinizooLM(pretrained=folder, dtype="float32"), tasks=["arc_easy"])  # doctest: +SKIP
    """

    backend = "causal"
    _DEFAULT_MAX_LENGTH = DEFAULT_MAX_LENGTH

    def __init__(self, pretrained: Any = None, **hflm_arguments: Any) -> None:
        super().__init__()
        given = read_arguments(pretrained, hflm_arguments)
        opened = open_model(given)
        self.arguments = given
        self.pretrained = given.pretrained
        self.checkpoint = opened.checkpoint
        self.engine = opened.engine
        self.revision = opened.revision
        self.tokenizer: Any = configure_pad_token(opened.tokenizer.inner)
        self.vocab_size: int = self.tokenizer.vocab_size
        self.encoder = Encoder(opened.tokenizer, opened.max_length, 0, given.prefix_token_id, given.add_bos_token)
        self.truncated: Counter[str] = Counter()
        """Task → requests that lost tokens on the left, since the model was made."""
        self.add_bos_token = given.add_bos_token
        self.custom_prefix_token_id = given.prefix_token_id
        self.think_end_token = given.think_end_token
        self.enable_thinking = given.enable_thinking
        thinking = {} if given.enable_thinking is None else {"enable_thinking": given.enable_thinking}
        self.chat_template_args: dict[str, Any] = {**given.chat_template_args, **thinking}
        self.batch_size_per_gpu = given.batch_size
        self._device = torch.device(opened.engine.device)
        self._max_length: int | None = opened.max_length
        self._parameters = opened.parameters
        self._seed = given.seed
        rows = ConfigView(opened.checkpoint.config).value("vocab_size")
        self._rows = rows if isinstance(rows, int) else None

    @property
    def seed(self) -> int:
        """Of sampled generations: the argument, else the one that torch was given, as lm-eval does for `--seed`."""
        return torch.initial_seed() if self._seed is None else self._seed

    @property
    def eot_token_id(self) -> int:
        """The token that ends a text."""
        return self.tokenizer.eos_token_id

    @property
    def prefix_token_id(self) -> int:
        """The token that an empty context stands for."""
        if self.custom_prefix_token_id is not None:
            return self.custom_prefix_token_id
        return self.tokenizer.eos_token_id if self.tokenizer.bos_token_id is None else self.tokenizer.bos_token_id

    @property
    def max_length(self) -> int:
        """Tokens of the context, or the argument's fewer."""
        if self._max_length:
            return self._max_length
        return resolve_max_length(self.model.config, self.tokenizer, default=self._DEFAULT_MAX_LENGTH)

    @property
    def max_gen_toks(self) -> int:
        """New tokens of a generation that names no limit."""
        return MAX_NEW_TOKENS

    @property
    def batch_size(self) -> int | str:
        """As it was given; requests are packed by tokens instead."""
        return self.batch_size_per_gpu

    @property
    def tokenizer_name(self) -> str:
        """The tokenizer's name in the fingerprint of lm-eval's cache of requests."""
        return self.tokenizer.name_or_path.replace("/", "__")

    def tok_encode(
        self,
        string: str,
        add_special_tokens: bool | None = None,
        left_truncate_len: int | None = None,
        **_: Any,
    ) -> list[int]:
        """Token ids of a text, as `Encoder` makes those of a request; at most so many, those on the right."""
        start = self.tokenizer.decode(self.prefix_token_id)
        special = special_tokens(string, add_special_tokens, self.add_bos_token, start)
        told = {} if special is None else {"add_special_tokens": special}
        encoded: list[int] = self.tokenizer.encode(string, **told)
        return encoded[-left_truncate_len:] if left_truncate_len else encoded

    def tok_batch_encode(
        self,
        strings: Sequence[str],
        padding_side: str = "left",
        left_truncate_len: int | None = None,
        truncation: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids of a padded batch and its attention mask; special tokens go by the first text."""
        first = special_tokens(strings[0], None, self.add_bos_token, getattr(self.tokenizer, "bos_token", None))
        special = first if self.backend == "causal" else None
        told = {} if special is None else {"add_special_tokens": special}
        before, self.tokenizer.padding_side = self.tokenizer.padding_side, padding_side
        encoded = self.tokenizer(list(strings), truncation=truncation, padding="longest", return_tensors="pt", **told)
        self.tokenizer.padding_side = before
        kept = slice(-left_truncate_len if left_truncate_len else None, None)
        return encoded["input_ids"][:, kept], encoded["attention_mask"][:, kept]

    def tok_decode(self, tokens: Any, skip_special_tokens: bool = True) -> str:
        """The text of token ids."""
        return self.tokenizer.decode(tokens, skip_special_tokens=skip_special_tokens)

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """A conversation as the model was tuned for; ChatTemplateMissing where its template does not take it."""
        return chat_text(self.tokenizer, chat_history, add_generation_prompt, self.chat_template_args)

    def get_model_info(self) -> dict[str, Any]:
        """What lm-eval's results say of a model. Nothing is asked of the hub: the commit is that of what was fetched."""
        return {
            "model_num_parameters": self._parameters,
            "model_dtype": getattr(torch, self.engine.dtype, self.engine.dtype),
            "model_revision": self.revision,
            "model_sha": self.checkpoint.revision or "",
        }

    def close(self) -> None:
        """Give back the memory of host and device."""
        self.engine.close()

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """log p of each continuation after its context, and whether it is what greedy decoding writes.

        Raises UnsupportedRequest where the model is to think first, what `Encoder.encode` and `answers` raise.
        """
        if self.enable_thinking:
            tasks = ", ".join(sorted({each.task_name for each in requests if each.task_name}))
            raise UnsupportedRequest(
                f"enable_thinking=True does not go with log-likelihoods, which score a given text: task {tasks}.",
                "Leave enable_thinking out, or take tasks that generate.",
            )
        return self._scored(requests, disable_tqdm, lambda scores: (scores[0].logprob, scores[0].greedy))

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        """log p of each whole text, in windows of the context's length."""
        return self._scored(requests, disable_tqdm, lambda scores: sum(score.logprob for score in scores))

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """The text that follows each prompt, up to the first of its stop strings."""
        self.encoder.seed = self.seed
        found: list[Any] = [None] * len(requests)
        for places, results in self._answered(requests, disable_tqdm, _generation_key):
            context, gen_kwargs = requests[places[0]].args
            text = self._text_of(results[0], self.encoder.stops(gen_kwargs))
            self._keep(requests, places, (context, gen_kwargs), text, found)
        return found

    def _scored(self, requests: Sequence[Any], disable_tqdm: bool, value: Callable[[list[Any]], Any]) -> list[Any]:
        found: list[Any] = [None] * len(requests)
        for places, results in self._answered(requests, disable_tqdm, lambda each: each.args):
            self._keep(requests, places, requests[places[0]].args, value(results), found)
        return found

    def _keep(self, requests: Sequence[Any], places: list[int], args: Any, value: Any, found: list[Any]) -> None:
        for place in places:
            found[place] = value
        self.cache_hook.add_partial(requests[places[0]].request_type, args, value)

    def _answered(
        self, requests: Sequence[Any], disable_tqdm: bool, key: Callable[[Any], Any]
    ) -> Iterator[tuple[list[int], list[Any]]]:
        """Yield the places of requests that are one (by `key`; None is none but itself) with the answers of their units."""
        groups: dict[Any, list[int]] = {}
        for place, each in enumerate(requests):
            own = key(each)
            groups.setdefault((place,) if own is None else (own, ""), []).append(place)
        asked = _asked(requests)
        members = list(groups.values())
        made = self.encoder.encode([asked[places[0]] for places in members])
        self._tell_cut(made)
        units = [(group, unit) for group, listed in enumerate(made) for unit in listed]
        waiting = [len(listed) for listed in made]
        results: list[dict[int, Any]] = [{} for _ in made]
        kind = requests[0].request_type if requests else ""
        with tqdm(total=len(requests), disable=disable_tqdm, desc=f"Running {kind} requests") as bar:
            for group in (group for group, left in enumerate(waiting) if not left):
                yield members[group], []
            for place, result in answers(self.engine, [unit for _, unit in units], self._rows):
                group = units[place][0]
                results[group][place] = result
                waiting[group] -= 1
                if not waiting[group]:
                    yield members[group], [results[group][at] for at in sorted(results[group])]
                    bar.update(len(members[group]))

    def _tell_cut(self, made: Sequence[Sequence[Unit]]) -> None:
        cut = Counter(unit.task for units in made for unit in units[:1] if any(each.cut for each in units))
        for task, count in cut.items():
            log.warning(
                "minizoo: %s: %d requests are longer than the context of %d tokens and lose tokens on the left, as with HFLM.",
                task,
                count,
                self.max_length,
            )
        self.truncated.update(cut)

    def _text_of(self, result: Generation, stops: list[str]) -> str:
        tokens = list(result.tokens)
        end = self.think_end_token
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
        self._tell_cut([[unit] for unit in units])
        found: list[Any] = [None] * len(units)
        with tqdm(total=len(units), disable=disable_tqdm, desc="Running loglikelihood requests") as bar:
            for place, score in answers(self.engine, units, self._rows):
                assert isinstance(score, Score)
                found[place] = score.logprob, score.greedy
                if requests[place][0] is not None:
                    self.cache_hook.add_partial("loglikelihood", requests[place][0], found[place])
                bar.update()
        return found


def register() -> None:
    """Make `minizoo` a name of lm-eval's models, beside its own; once more does nothing."""
    import lm_eval.models
    from lm_eval.api.registry import model_registry

    assert lm_eval.models  # its own names are registered by this import, and only while the registry has none of them
    if NAME not in model_registry:
        model_registry.register(NAME, target=MinizooLM)


def _asked(requests: Sequence[Any]) -> list[Asked]:
    """Where each request stands. lm-eval hands one over as often as it is to be repeated: a part each."""
    seen: Counter[tuple[str, int, int]] = Counter()
    asked: list[Asked] = []
    for place, each in enumerate(requests):
        key = (each.task_name or UNNAMED, place if each.doc_id is None else each.doc_id, each.idx)
        asked.append(Asked(*key, seen[key], each))
        seen[key] += 1
    return asked


def _generation_key(instance: Any) -> tuple[str, str] | None:
    """Equal for generations that are the same: greedy, after one prompt, by one task's settings."""
    context, gen_kwargs = instance.args
    if not isinstance(gen_kwargs, Mapping) or samples(gen_kwargs):
        return None
    return context, json.dumps(gen_kwargs, sort_keys=True, default=repr)
