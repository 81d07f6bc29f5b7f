"""From the arguments of lm-eval's Hugging Face model to a model in memory: all that can refuse it comes before its weights."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from backends.contract import Backend, Options
from backends.memory import check_device
from backends.opening import check_backend, default_backend, open_backend
from backends.tokenizer import HfTokenizer
from harness.lmeval.opening.arguments import Arguments
from harness.lmeval.vocabulary import rows_of
from zoo.arch.held import PLAIN, config_dtype
from zoo.arch.parameters import count_parameters
from zoo.checkpoint.locate import Checkpoint, Outline, locate, outline
from zoo.checkpoint.model_ref import ModelRef, resolve
from zoo.checkpoint.plan_folder import virtual_parent
from zoo.checkpoint.safetensors import stored_tensors
from zoo.checkpoint.weight_files import weight_files
from zoo.errors import ConflictingOptions, FileMissing, InvalidOption

STORED = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
PLAINLY = "plain, since "
"""How a backend's `scoring` begins where packing does not follow its model."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opened:
    """A model in memory, and what it was opened from."""

    checkpoint: Checkpoint
    engine: Backend
    tokenizer: HfTokenizer
    max_length: int
    revision: str
    """As lm-eval's results say it: what was asked for, else what is pinned, else `main`."""

    @property
    def parameters(self) -> int:
        """Numbers in its weights, a head that is tied counted once; -1 where they are not known."""
        dims = self.checkpoint.closed_form
        if dims is not None:
            return count_parameters(dims).total
        return (
            _stored_parameters(self.checkpoint) if self.checkpoint.only_pruned else _class_parameters(self.checkpoint)
        )

    @property
    def rows(self) -> int | None:
        """Rows of the embedding by config.json; None where it does not tell (the weights then do, in the backend)."""
        return rows_of(self.checkpoint.config)


@dataclass(frozen=True)
class AtRevision(ModelRef):
    """A hub model at a revision that the user named."""

    revision: str | None = None

    @property
    def hub(self) -> tuple[str, str | None]:
        """Hub id and that revision."""
        return self.id, self.revision


def open_model(arguments: Arguments) -> Opened:
    """The model that the arguments mean, loaded. Says once what of them changes nothing, and what is to be known of the model.

    Raises ConflictingOptions in one of several processes, what `resolve`, `outline`, `check_device` and `locate` raise,
    InvalidOption for a revision or subfolder that cannot be had and for a `max_length` beyond the context.
    """
    _refuse_several_processes(os.environ)
    ref = model_ref(arguments.pretrained, arguments.revision, arguments.subfolder)
    if arguments.backend is not None:
        check_backend(arguments.backend)
    found = outline(ref)
    backend = arguments.backend or default_backend(found)
    said = config_dtype(found.config) if arguments.dtype == "auto" else arguments.dtype
    options = Options(arguments.device, said or "float32", eager=arguments.eager)
    check_device(found, backend, options)
    length = _max_length(arguments.max_length, found)
    tokenizer = _tokenizer(arguments, found)
    for line in (*arguments.told, tokenizer.note, found.context.note):
        if line:
            log.warning("%s", line)
    with closing(_FetchBar()) as bar:
        checkpoint = locate(found, bar.update)
    if said is None:
        options = dataclasses.replace(options, dtype=_stored_dtype(checkpoint))
    engine = open_backend(checkpoint, backend, options)
    if arguments.tokenizer is not None:
        engine.tokenizer = tokenizer
    if (how := engine.versions.get("scoring", "")).startswith(PLAINLY):
        log.warning("%s is run without packing, since %s.", checkpoint.name, how.removeprefix(PLAINLY))
    return Opened(checkpoint, engine, tokenizer, length, arguments.revision or _pinned(ref) or "main")


def model_ref(word: str, revision: str | None = None, subfolder: str = "") -> ModelRef:
    """The model that `pretrained`, `revision` and `subfolder` mean. Raises InvalidOption for what cannot be had."""
    if subfolder:
        folder = Path(word).expanduser() / subfolder
        if not Path(word).expanduser().is_dir():
            raise InvalidOption(
                f"subfolder={subfolder} is followed in a folder, and {word} is none.",
                f"Fetch it (`hf download {word} --include '{subfolder}/*' --local-dir DIR`) and give DIR.",
            )
        if not folder.is_dir():
            raise FileMissing(f"{folder} is not a folder.", "Give the subfolder that holds config.json.")
        word = str(folder)
    ref = resolve(word)
    if revision is None or revision == _pinned(ref):
        return ref
    if ref.folder is not None:
        raise InvalidOption(
            f"revision={revision} is of the hub, and {word} is a folder: it has one state.",
            "Leave revision out, or give the folder of that revision.",
        )
    if ref.entry is not None:
        hub_id, pinned = ref.hub
        raise InvalidOption(
            f"{ref.id} stands for {hub_id} at {pinned or 'its newest commit'}, and results are filed under that name: "
            f"revision={revision} is another model.",
            f"Fetch it (`hf download {hub_id} --revision {revision} --local-dir DIR`) and give DIR.",
        )
    return AtRevision(**{f.name: getattr(ref, f.name) for f in dataclasses.fields(ref)}, revision=revision)


class _FetchBar:
    """Bytes of the weights, fetched and converted, on stderr; nothing where all are there."""

    def __init__(self) -> None:
        self._bar: Any = None

    def update(self, step: str, done: int, of: int) -> None:
        """So many bytes of a step are done."""
        if self._bar is None or self._bar.desc != step:
            self.close()
            self._bar = tqdm(total=of, desc=step, unit="B", unit_scale=True)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Leave the last state standing."""
        if self._bar is not None:
            self._bar.close()


def _refuse_several_processes(environment: Mapping[str, str]) -> None:
    world, rank = environment.get("WORLD_SIZE", "1"), environment.get("LOCAL_RANK", "0")
    if world not in ("", "0", "1") or rank not in ("", "-1", "0"):
        raise ConflictingOptions(
            f"minizoo's model runs in one process on one device, and this is one of several (WORLD_SIZE={world}, "
            f"LOCAL_RANK={rank}): each would compute everything.",
            "Start it once: without `accelerate launch` and `torchrun`, or with one process (`--num_processes 1`).",
        )


def _pinned(ref: ModelRef) -> str | None:
    return ref.entry.hub.revision if ref.entry is not None and ref.entry.hub is not None else None


def _max_length(wanted: int | None, found: Outline) -> int:
    if wanted is not None and wanted > found.max_length:
        raise InvalidOption(
            f"max_length={wanted} is longer than the context of {found.name}, {found.max_length} tokens.",
            "Leave it out; for a model that does attend to more, say so in config.json (max_position_embeddings) in a copy of "
            "its folder.",
        )
    return wanted or found.max_length


def _tokenizer(arguments: Arguments, found: Outline) -> HfTokenizer:
    wanted, add_bos = arguments.tokenizer, arguments.add_bos_token
    if wanted is None:
        made = HfTokenizer(found.folder, add_bos)
        made.inner.name_or_path = arguments.pretrained  # a cache's folder would be another name on every machine
        return made
    if not isinstance(wanted, str):
        return HfTokenizer.of(wanted)
    folder = Path(wanted).expanduser()
    made = HfTokenizer(folder if folder.is_dir() else outline(model_ref(wanted, arguments.revision)).folder, add_bos)
    made.inner.name_or_path = wanted
    return made


def _class_parameters(checkpoint: Checkpoint) -> int:
    """As transformers counts them, of a model without weights."""
    import torch
    from transformers import AutoModelForCausalLM

    from backends.hf.loading import transformers_config

    try:
        with torch.device("meta"):
            empty: Any = AutoModelForCausalLM.from_config(transformers_config(checkpoint.folder))
        return int(empty.num_parameters())
    except Exception:  # whatever a class raises; another backend may run what transformers does not
        return -1


def _stored_parameters(checkpoint: Checkpoint) -> int:
    if virtual_parent(checkpoint.folder):
        return -1
    return sum(math.prod(tensor.shape) for tensor in _stored(checkpoint).values())


def _stored_dtype(checkpoint: Checkpoint) -> str:
    """The dtype of the first float that is stored, as transformers' `auto` takes it where config.json names none."""
    stored = (STORED.get(tensor.dtype) for tensor in _stored(checkpoint).values())
    return next((dtype for dtype in stored if dtype in PLAIN), "float32")


def _stored(checkpoint: Checkpoint) -> Mapping[str, Any]:
    return stored_tensors(weight_files(virtual_parent(checkpoint.folder) or checkpoint.folder).read)
