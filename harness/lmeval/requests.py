"""What lm-eval may ask of a model: the kinds of request and what each hands over. Anything else is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.errors import InvalidTask, MinizooError, UnsupportedRequest

KINDS: Mapping[str, tuple[type, ...]] = {
    "loglikelihood": (str, str),
    "loglikelihood_rolling": (str,),
    "generate_until": (str, Mapping),
}
"""Kind → the types of a request's arguments: context and ending; text; prompt and generation settings."""


def in_order(instances: Any) -> tuple[Any, ...]:
    """A document's requests (one, or a list) in the order in which lm-eval hands their answers to the task: by `idx`."""
    return tuple(sorted(instances if isinstance(instances, list) else [instances], key=lambda instance: instance.idx))


def check_requests(task: str, doc_id: int, instances: tuple[Any, ...]) -> None:
    """Raise UnsupportedRequest for a kind that is not run or for images and sound, InvalidTask for what is no text."""
    for instance in instances:
        if refused := _refusal(f"Task {task}, document {doc_id}", instance):
            raise refused


def _refusal(where: str, instance: Any) -> MinizooError | None:
    wanted = KINDS.get(instance.request_type)
    if wanted is None:
        known = ", ".join(KINDS)
        return UnsupportedRequest(
            f"{where}: it makes a request of kind '{instance.request_type}', which minizoo does not run ({known}).",
            "Leave the task out.",
        )
    given = instance.args
    if len(given) > len(wanted):
        return UnsupportedRequest(
            f"{where}: its request hands over more than text ({', '.join(_words(a) for a in given[len(wanted) :])}): "
            "images or sound.",
            "minizoo runs text alone: leave the task out.",
        )
    if len(given) < len(wanted) or not all(map(isinstance, given, wanted)):
        return InvalidTask(
            f"{where}: its {instance.request_type} request has {', '.join(map(_words, given))} where "
            f"{', '.join(kind.__name__ for kind in wanted)} belongs.",
            "Check doc_to_text and doc_to_target in the task's YAML.",
        )
    return None


def _words(argument: Any) -> str:
    named = sorted(map(str, argument)) if isinstance(argument, Mapping) else []
    return f"{type(argument).__name__} {'/'.join(named)}".strip()
