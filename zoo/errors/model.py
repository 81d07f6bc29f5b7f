"""Errors in a model: its configuration, weights, tokenizer, and the hub that it comes from."""

from __future__ import annotations

from zoo.errors.base import EnvironmentIssue, InputError


class ConfigMissing(InputError):
    """The folder has no config.json, so it is no checkpoint in Hugging Face form."""


class InvalidConfig(InputError):
    """config.json cannot be read, contradicts itself, or is refused by transformers."""


class UnsupportedArchitecture(InputError):
    """The command does not work on this model class: pruning, drawing weights and streaming name those that they take."""


class UnsupportedDtype(InputError):
    """No such dtype, or one that this step cannot read."""


class StorageUnknown(InputError):
    """How many bytes the weights take as they are stored is stated nowhere, so no figure that rests on it is given."""


class WeightsMissing(InputError):
    """The checkpoint has no safetensors, or lacks a shard that its index names or a tensor that config.json calls for."""


class WeightsTruncated(InputError):
    """A file of weights is shorter or longer than its own header says, or its header cannot be read."""


class ForeignWeights(InputError):
    """The weights are in a form that minizoo does not read (GGUF, NeMo, Flax …); the line that converts them is named."""


class AdapterAlone(InputError):
    """A LoRA or other adapter is no model by itself: it is merged into its base model first."""


class PointerFile(InputError):
    """Git LFS left a pointer of a few lines where a file of the model should be."""


class PartlyFetched(InputError):
    """A download into the folder was interrupted, and the weights are not all there."""


class AmbiguousFolder(InputError):
    """The folder is a pruning plan on another folder's weights, and holds weights of its own."""


class UnsafePickle(InputError):
    """Pickled weights call for code or objects beyond plain tensors. Nothing of it was run."""


class PickleUnreadable(InputError):
    """A pickled file of weights is no state dict of plain tensors that torch.load reads with weights_only."""


class WeightsMismatch(InputError):
    """Tensors do not have the shapes or dtypes that config.json calls for: scores would be those of random numbers."""


class WeightsNotFinite(InputError):
    """A weight or an activation is NaN or infinite."""


class WeightsNotPublic(InputError):
    """The model's weights were never published, so it cannot be run."""


class WrongBackend(InputError):
    """This checkpoint needs another backend: its layers differ in width, or it is a plan without weights of its own."""


class TokenizerUnreadable(InputError):
    """transformers cannot read the checkpoint's tokenizer, or there is none."""


class ChatTemplateMissing(InputError):
    """The suite goes through a chat template and the tokenizer has none, or it refuses the turns."""


class RepositoryGated(InputError):
    """The hub wants the model's licence accepted first."""


class RepositoryMissing(InputError):
    """The hub has no such model or no such revision of it."""


class HubUnreachable(EnvironmentIssue):
    """The hub cannot be reached, and what is wanted is not in its cache."""
