"""lm-eval's requests for chosen documents, word for word those of lm-eval in one process over the whole task.

lm-eval draws few-shot examples from one generator in document order, so its own `--limit` and `--samples` change the
prompts. Here every document before a chosen one still advances that generator, with the same call, but is not rendered.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness.lmeval.loading.tasks import LoadedTask
from harness.lmeval.requests import check_requests, in_order
from zoo.errors import InvalidTask, MinizooError, one_line

SALT = "minizoo/1"
FEWSHOT_SEED = 1234
"""lm-eval's default, so that the examples drawn are the ones it draws."""

Chat = Callable[..., str]
"""A chat template: (messages, add_generation_prompt) → the prompt's text."""


@dataclass(frozen=True)
class Document:
    """A document to be evaluated, with lm-eval's requests for it."""

    doc_id: int
    doc: Any
    doc_hash: str
    """lm-eval's own: sha256 of the document as indented JSON."""
    occurrence: int
    """0 for the first document with this hash, 1 for the next: some data sets repeat rows."""
    instances: tuple[Any, ...]

    @property
    def request_hash(self) -> str:
        """sha256 over every request of the document; lm-eval's prompt hash covers only the first context."""
        return _sha256(json.dumps([instance.args for instance in self.instances], ensure_ascii=False))

    @property
    def prompt_hash(self) -> str:
        """lm-eval's own: sha256 of the first request's context."""
        return _sha256(self.instances[0].args[0])


def build_documents(
    loaded: LoadedTask, fewshot_seed: int = FEWSHOT_SEED, chat: Chat | None = None
) -> tuple[list[Document], int]:
    """The chosen documents in data-set order with their requests, and how many documents the task has in all.

    With `chat` every prompt goes through a chat template, examples as turns. Raises InvalidTask where the data does not suit
    the task, UnsupportedRequest for requests of a kind that is not run.
    """
    loaded.task.set_fewshot_seed(seed=fewshot_seed)
    docs = list(loaded.task.eval_docs)
    keys = keys_of(docs)
    chosen = choose(keys, count_of(len(docs), loaded.limit, loaded.entry.share))
    last = max(chosen, default=-1)
    with templates_compiled_once():
        made = list(_requests(loaded, docs[: last + 1], chosen, chat))
    return [Document(i, docs[i], *keys[i], instances) for i, instances in made], len(docs)


def digest_of(task: Any, documents: Iterable[Document]) -> str:
    """A digest of a task's text and of every request made from its data."""
    config = json.dumps(task.dump_config(), sort_keys=True, default=str)
    whole = hashlib.sha256(re.sub(r" at 0x[0-9a-f]+", "", config).encode())
    for document in documents:
        whole.update(f"{document.doc_id}|{document.doc_hash}|{document.request_hash}\n".encode())
    return whole.hexdigest()


def count_of(total: int, limit: int | None, share: float | None) -> int | None:
    """How many of `total` documents a limit and a share leave, at least one; None for all."""
    wanted = [n for n in (limit, None if share is None else max(1, round(share * total))) if n is not None]
    return min(wanted) if wanted else None


def choose(keys: Sequence[tuple[str, int]], limit: int | None) -> set[int]:
    """The positions of `limit` documents, by the order of a salted hash of each: stable, unbiased by position, and nested
    (a smaller limit chooses a subset of a larger one). None chooses all."""
    order = sorted(range(len(keys)), key=lambda i: _sha256(f"{SALT}|{keys[i][0]}|{keys[i][1]}"))
    return set(order if limit is None else order[:limit])


def keys_of(docs: Sequence[Any]) -> list[tuple[str, int]]:
    """Each document's hash, as lm-eval makes it, and which one of those that are equal it is."""
    from lm_eval.utils import handle_non_serializable

    seen: Counter[str] = Counter()
    keys: list[tuple[str, int]] = []
    for doc in docs:
        text = json.dumps(doc, indent=2, default=handle_non_serializable, ensure_ascii=False)
        doc_hash = _sha256(text)
        keys.append((doc_hash, seen[doc_hash]))
        seen[doc_hash] += 1
    return keys


def _requests(
    loaded: LoadedTask, docs: Sequence[Any], chosen: set[int], chat: Chat | None
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    from lm_eval.api.task import ConfigurableTask

    task = loaded.task
    # A task class with its own way of making contexts is rendered in full: only then is its generator surely in step.
    skips = isinstance(task, ConfigurableTask) and type(task).fewshot_context is ConfigurableTask.fewshot_context
    for doc_id, doc in enumerate(docs):
        with _told(loaded.name, doc_id):
            if doc_id not in chosen and skips:
                if loaded.shots > 0:
                    task.sampler.sample(
                        n=loaded.shots, eval_doc=doc if task.fewshot_cfg.split == task.config.test_split else None
                    )
                continue
            made = in_order(_made(loaded, doc_id, doc, chat))
            check_requests(loaded.name, doc_id, made)
        if doc_id in chosen:
            yield doc_id, made


def _made(loaded: LoadedTask, doc_id: int, doc: Any, chat: Chat | None) -> Any:
    """The requests of a document, made with the words with which lm-eval's `build_all_requests` makes them."""
    task = loaded.task
    words = {"apply_chat_template": chat is not None, "chat_template": chat}
    context = task.fewshot_context(
        doc,
        num_fewshot=loaded.shots,
        system_instruction=None,
        fewshot_as_multiturn=chat is not None,
        gen_prefix=task.doc_to_prefix(doc),
        **words,
    )
    metadata = (task.config["task"], doc_id, task.config.repeats)
    return task.construct_requests(doc=doc, ctx=context, metadata=metadata, **words)


@contextmanager
def templates_compiled_once() -> Generator[None]:
    """Inside, each template of a task is compiled once. lm-eval compiles it for every use, which takes longer than all else."""
    from lm_eval.utils import env

    compiled: Any = functools.cache(env.from_string)
    env.from_string = compiled
    try:
        yield
    finally:
        del env.from_string


@contextmanager
def _told(task: str, doc_id: int) -> Generator[None]:
    """Inside, what a task's templates and code raise becomes InvalidTask; minizoo's own errors pass."""
    try:
        yield
    except MinizooError:
        raise
    except Exception as error:  # jinja's, Python's own for a literal that is none, whatever a task's code raises
        raise InvalidTask(
            f"Task {task}, document {doc_id}: lm-eval cannot build its prompts from the data ({type(error).__name__}: "
            f"{one_line(error)[:200]}).",
            "Check that the data has the columns that the task's YAML names, and enough few-shot examples.",
        ) from None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
