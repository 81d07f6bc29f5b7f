"""Which entries `minizoo eval` cannot run, and why: each reason is a rule of its own, in the words of what stops it.

What is only slower or has to be done first (a licence to accept, weights to convert) is said where a source states it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zoo.arch.runnable import named_class_obstacle, quantisation_obstacle, stated_quantisation
from zoo.registry.loader import Model
from zoo.registry.stored import quantization_of, stored_as, stored_weights
from zoo.yaml_nodes import YamlPath


@dataclass(frozen=True)
class Hindrance:
    """What stands between an entry and `eval`: a word to sort by, the reason, and the fact in the entry that says so.

    `stands` is False for what can be dealt with, or is only not known yet.
    """

    topic: str
    why: str
    path: YamlPath
    stands: bool = True


def not_public(model: Model) -> Iterator[Hindrance]:
    """A source says that the weights were never released."""
    if model.released is False:
        yield Hindrance("not public", "its weights were never released", ("released",))


def not_made_yet(model: Model) -> Iterator[Hindrance]:
    """The weights are on no hub, but everyone can make them."""
    if model.made is not None:
        yield Hindrance("to be made", f"its weights are made by {model.made.by}", ("made",), stands=False)


def no_address(model: Model) -> Iterator[Hindrance]:
    """Nobody says where the weights are."""
    if model.released is not False and model.hub is None and model.weights is None and model.made is None:
        yield Hindrance("no address", "no source names a place of its weights", ())


def files_in_another_form(model: Model) -> Iterator[Hindrance]:
    """The repository holds nothing that transformers reads; a pickle alone is converted, and is told so."""
    files = model.hub.files if model.hub else None
    if files is not None and files.format == "nemo":
        why = f"its repository holds a NeMo archive, which transformers does not read ({files.source})"
        yield Hindrance("format", why, ("hub", "files", "format"))
    if files is not None and files.format == "pickled":
        why = f"pytorch_model.bin and no safetensors, which is converted once ({files.source})"
        yield Hindrance("format", why, ("hub", "files", "format"), stands=False)


def class_that_is_not_here(model: Model) -> Iterator[Hindrance]:
    """transformers, as it is installed, has no such class, or does not load it as a causal language model."""
    files = model.hub.files if model.hub else None
    own = files.hf_class if files else None
    name = own or model.architecture.hf_class
    if name is None:
        yield Hindrance(
            "class unknown",
            "no source names its class: config.json decides whether it runs",
            ("architecture",),
            stands=False,
        )
        return
    obstacle = named_class_obstacle(name, bool(files and files.remote_code))
    if obstacle is not None:
        path: YamlPath = ("hub", "files", "hf_class") if own else ("architecture", "hf_class")
        yield Hindrance(obstacle.topic, f"it {obstacle.why}", path)


def quantised_otherwise(model: Model) -> Iterator[Hindrance]:
    """Quantised in a form that transformers does not read, or does not run on this machine."""
    quantization = quantization_of(model)
    if quantization is None:
        return
    path: YamlPath = ("lineage", "quantization")
    stated = stated_quantisation({"quantization_config": quantization.config})
    if stated is None:
        why = f"{stored_as(model)}: no source shows how its config.json says so, which decides whether it runs"
        yield Hindrance("quantised", why, path, stands=False)
    else:
        obstacle = quantisation_obstacle(stated, "bfloat16")
        if obstacle is not None:
            yield Hindrance("quantised", f"it {obstacle.why}", (*path, "config"))
    if stored_weights(model) is None:
        why = "no source says how many bytes its weights take, so what fits is not told before they are fetched"
        yield Hindrance("bytes unknown", why, path, stands=False)


def licence_to_accept(model: Model) -> Iterator[Hindrance]:
    """The hub wants the licence accepted by a person first."""
    if model.hub is not None and model.hub.gated:
        why = f"its licence must be accepted at huggingface.co/{model.hub.id}, and `hf auth login` done"
        yield Hindrance("gated", why, ("hub", "gated"), stands=False)


def context_unknown(model: Model) -> Iterator[Hindrance]:
    """No source states the context, so which prompts fit is known with config.json."""
    if model.architecture.max_context is None:
        why = "no source states its context: its config.json decides which prompts fit"
        yield Hindrance("context unknown", why, ("architecture",), stands=False)


RULES: tuple[Callable[[Model], Iterator[Hindrance]], ...] = (
    not_public,
    no_address,
    not_made_yet,
    files_in_another_form,
    class_that_is_not_here,
    quantised_otherwise,
    licence_to_accept,
    context_unknown,
)


def hindrances(model: Model) -> list[Hindrance]:
    """Everything between a model and `eval`; of a model that has no weights anywhere, that alone."""
    found = [hindrance for rule in RULES[:3] for hindrance in rule(model)]
    return found or [hindrance for rule in RULES[3:] for hindrance in rule(model)]
