"""Reading config.json: from a file, a folder or the hub, and as the dimensions of a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from zoo.arch.config_keys import FAMILIES, RELATIVES, SPELLINGS, ConfigView, Family
from zoo.arch.dims import Dense, Rope, RopeScaling
from zoo.errors import (
    ConfigMissing,
    HubUnreachable,
    InvalidConfig,
    RepositoryGated,
    RepositoryMissing,
    UnsupportedArchitecture,
    one_line,
)
from zoo.names import closest

REQUIRED = ("num_layers", "hidden_size", "ffn_hidden_size", "num_attention_heads", "vocab_size")
"""Dimensions that no model class assumes."""


def read_config(where: Path | str) -> dict[str, Any]:
    """The config.json of a folder, or the file itself.

    Raises ConfigMissing where there is none, InvalidConfig where it is no JSON object.
    """
    path = Path(where).expanduser()
    file = path / "config.json" if path.is_dir() else path
    try:
        config = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidConfig(f"{file} is not JSON: {one_line(error)}.", "Fetch the file again.") from None
    except OSError as error:
        hint = "Give a folder in Hugging Face form (config.json and safetensors), or the file itself."
        raise ConfigMissing(f"{file} cannot be read ({error.strerror or error}).", hint) from None
    if not isinstance(config, dict):
        raise InvalidConfig(f"{file} holds no JSON object.", "Give a config.json.")
    return config


def fetch_config(hub_id: str, revision: str | None) -> dict[str, Any]:
    """The config.json of a hub repository at `revision` (its newest where None).

    Raises RepositoryGated, RepositoryMissing (no such model, revision or file), HubUnreachable.
    """
    from huggingface_hub import errors as hub
    from huggingface_hub import hf_hub_download

    try:
        return read_config(hf_hub_download(hub_id, "config.json", revision=revision))
    except hub.GatedRepoError:
        hint = f"Accept its licence at huggingface.co/{hub_id}, then run `hf auth login`."
        raise RepositoryGated(f"{hub_id} is gated on the hub.", hint) from None
    except (hub.RepositoryNotFoundError, hub.RevisionNotFoundError, hub.RemoteEntryNotFoundError):
        at = f" at revision {revision}" if revision else ""
        raise RepositoryMissing(f"The hub has no config.json of {hub_id}{at}.", "Check the entry's hub id.") from None
    except (hub.HfHubHTTPError, hub.LocalEntryNotFoundError, hub.OfflineModeIsEnabled, OSError) as error:
        reason = one_line(error)[:160].rstrip(".") or type(error).__name__
        raise HubUnreachable(
            f"config.json of {hub_id} cannot be had from the hub ({reason}).",
            "Where the hub is out of reach, give --check a file or folder.",
        ) from None


def dims_of(config: Mapping[str, Any], where: Path) -> Dense:
    """The dimensions that a config.json states, with what its model class assumes for absent keys.

    Raises UnsupportedArchitecture for a `model_type` that is not in FAMILIES, InvalidConfig for a missing or senseless
    value. `where` is what errors call the model.
    """
    view = ConfigView(config)
    if view.family is None:
        raise _unsupported(view.model_type, where)
    if view.value("activation") != view.family.activation:
        what = (
            f"{where} has activation '{view.value('activation')}', a {view.model_type} has '{view.family.activation}'."
        )
        raise InvalidConfig(what, "Correct it, or the model_type.")
    if config.get("tie_word_embeddings", False) is None:  # transformers takes a null for no default here
        raise InvalidConfig(f"{where} has a config.json whose tie_word_embeddings is null.", "Write true or false.")
    missing = [SPELLINGS[dimension][0] for dimension in REQUIRED if view.value(dimension) is None]
    if missing:
        raise InvalidConfig(f"{where} has no usable config.json ({missing[0]} is missing).", "Write it again.")
    try:
        return _dense(view, view.family)
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InvalidConfig(f"{where} has no usable config.json ({reason}).", "Write it again.") from None


def _unsupported(model_type: str, where: Path) -> UnsupportedArchitecture:
    what = RELATIVES.get(model_type)
    near = None if what else closest(model_type, FAMILIES)
    return UnsupportedArchitecture(
        f"{where} is a '{model_type}'{f', {what}' if what else ''}; minizoo prunes {', '.join(FAMILIES)}.",
        f"Did you mean '{near}'?" if near else "Take a model of one of these architectures.",
    )


def _dense(view: ConfigView, family: Family) -> Dense:
    kind = view.value("rope.scaling.type")
    # a kind of scaling that the registry has no word for is left out of the dimensions; the config itself keeps it
    known = kind in get_args(RopeScaling.model_fields["type"].annotation)
    scaling = {name: view.value(f"rope.scaling.{name}") for name in ("type", "factor", "original_context")}
    return Dense(
        type="dense",
        num_layers=view.value("num_layers"),
        hidden_size=view.value("hidden_size"),
        ffn_hidden_size=view.value("ffn_hidden_size"),
        num_attention_heads=view.value("num_attention_heads"),
        num_kv_heads=view.value("num_kv_heads"),
        head_dim=view.value("head_dim"),
        vocab_size=view.value("vocab_size"),
        tied_embeddings=view.value("tied_embeddings"),
        max_context=view.value("max_context"),
        hf_class=family.hf_class,
        activation=family.activation,
        norm=family.norm,
        norm_eps=view.value("norm_eps"),
        norms_per_layer=2,
        qkv_bias=view.has("qkv_bias"),
        o_bias=view.has("o_bias"),
        mlp_bias=view.has("mlp_bias"),
        qk_norm=view.has("qk_norm"),
        rope=Rope(
            theta=view.value("rope.theta"),
            fraction=view.value("rope.fraction"),
            scaling=RopeScaling(**scaling) if known else None,
        ),
    )
