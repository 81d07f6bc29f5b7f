"""The `pruned` backend: loads what `from_pretrained` cannot.

A pruned folder whose layers differ in width, or a parent and a plan without a copy of the child: only the slices go to
the device, a block of rows at a time. The model is transformers' own, so scoring and generation are those of `hf`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from backends.contract import Options
from backends.hf.backend import HfBackend
from backends.hf.loading import compute_dtype, transformers_config, within_memory
from zoo.arch.config_keys import FAMILIES, ConfigView
from zoo.checkpoint.head import with_stored_head
from zoo.checkpoint.locate import Checkpoint
from zoo.checkpoint.plan_folder import LAYER_WIDTHS, virtual_parent
from zoo.checkpoint.precision import check_float, check_unquantised
from zoo.checkpoint.safetensors import stored_tensors
from zoo.checkpoint.torch_tensors import TORCH_DTYPE, as_tensor
from zoo.checkpoint.weight_files import weight_files
from zoo.errors import InvalidConfig, UnsupportedArchitecture, WeightsMismatch, WeightsMissing, one_line
from zoo.prune.parent import open_parent
from zoo.prune.plan import read_plan
from zoo.prune.write.blocks import cut_blocks
from zoo.prune.write.cut import Cut, cuts


def open_pruned(checkpoint: Checkpoint, options: Options) -> PrunedBackend:
    """Load a pruned folder; the entry point of this backend."""
    return PrunedBackend(checkpoint, options, load_pruned)


class PrunedBackend(HfBackend):
    """A causal language model of transformers whose layers need not be alike."""

    name = "pruned"


def load_pruned(checkpoint: Checkpoint, device: str, dtype: str) -> Any:
    """The model on the device, in eval mode.

    Raises UnsupportedArchitecture for a model class that minizoo does not prune, UnsupportedDtype, WeightsMissing and
    WeightsMismatch for weights that do not fit config.json, OtherParent for a plan's parent that has changed, DeviceMemory.
    """
    if checkpoint.config.get("model_type") not in FAMILIES:
        raise UnsupportedArchitecture(
            f"The pruned backend runs {', '.join(FAMILIES)}, not '{checkpoint.config.get('model_type')}'.", "Use hf."
        )
    sliced = _cuts(checkpoint)
    config = transformers_config(checkpoint.folder)
    config.tie_word_embeddings = bool(ConfigView(checkpoint.config).value("tied_embeddings"))
    wanted = compute_dtype(dtype, device)
    chosen = (config.dtype or TORCH_DTYPE[sliced[0].source.dtype]) if wanted == "auto" else wanted  # as from_pretrained
    with within_memory(checkpoint, device):
        model = _skeleton(checkpoint, config, chosen)
        _check_shapes(model, sliced, checkpoint.folder)
        model.load_state_dict(dict(_on_device(sliced, device, chosen)), assign=True, strict=False)
    model.tie_weights()
    model.model.rotary_emb = type(model.model.rotary_emb)(config=model.config).to(device)
    return model.eval()


def _cuts(checkpoint: Checkpoint) -> list[Cut]:
    """What to read: slices of the plan's parent, or the folder's own tensors whole."""
    folder = checkpoint.folder
    parent = virtual_parent(folder)
    if parent is not None:
        return list(cuts(read_plan(folder / "plan.json"), open_parent(parent)))
    check_unquantised(checkpoint.config, folder)
    _, stored = with_stored_head(checkpoint.config, stored_tensors(weight_files(folder).read))
    for tensor in stored.values():
        check_float(tensor)
    return [Cut(name, tensor, None, None, tensor.shape) for name, tensor in stored.items()]


def _skeleton(checkpoint: Checkpoint, config: Any, dtype: torch.dtype) -> Any:
    """transformers' model without weights, its layers brought to their own widths."""
    from transformers import AutoModelForCausalLM, GenerationConfig

    try:
        with torch.device("meta"):
            model: Any = AutoModelForCausalLM.from_config(config, dtype=dtype)
    except Exception as error:  # transformers raises whatever its validation met
        raise InvalidConfig(
            f"transformers cannot build {checkpoint.folder / 'config.json'} ({one_line(error)[:200]}).", "Correct it."
        ) from None
    widths = checkpoint.config.get(LAYER_WIDTHS)
    if widths is not None:
        for layer, ffn, heads in zip(model.model.layers, widths["ffn"], widths["heads"], strict=True):
            _resize(layer, int(ffn), int(heads), config)
    if (checkpoint.folder / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(checkpoint.folder, local_files_only=True)
    return model


def _resize(layer: Any, ffn: int, heads: int, config: Any) -> None:
    attention, mlp = layer.self_attn, layer.mlp
    width = heads * attention.head_dim
    for module, part, shape in (
        (attention, "q_proj", (width, config.hidden_size)),
        (attention, "o_proj", (config.hidden_size, width)),
        (mlp, "gate_proj", (ffn, config.hidden_size)),
        (mlp, "up_proj", (ffn, config.hidden_size)),
        (mlp, "down_proj", (config.hidden_size, ffn)),
    ):
        whole = getattr(module, part, None)
        if whole is not None:
            rows, columns = shape
            setattr(module, part, torch.nn.Linear(columns, rows, bias=whole.bias is not None, device="meta"))
    attention.num_key_value_groups = heads // config.num_key_value_heads
    if hasattr(attention, "num_heads"):
        attention.num_heads = heads


def _check_shapes(model: Any, sliced: list[Cut], folder: Path) -> None:
    """Every parameter must be there in its shape, or its scores would be those of random numbers."""
    there = {cut.name: cut.shape for cut in sliced}
    tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set[str]()
    for name, parameter in model.named_parameters():
        if name not in there and name not in tied:
            raise WeightsMissing(
                f"{folder} lacks {name}, which its config.json calls for.", "Write the checkpoint again."
            )
        if name in there and there[name] != tuple(parameter.shape):
            raise WeightsMismatch(
                f"{name} in {folder} has shape {there[name]}, its config.json calls for {tuple(parameter.shape)}.",
                "Write the checkpoint again.",
            )


def _on_device(sliced: list[Cut], device: str, dtype: torch.dtype) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors, each filled block by block where it will stay."""
    filled: dict[str, int] = {}
    tensors: dict[str, torch.Tensor] = {}
    for cut, block in cut_blocks(sliced):
        if cut.name not in tensors:
            tensors[cut.name] = torch.empty(cut.shape, dtype=dtype, device=device)
            filled[cut.name] = 0
        at, rows = filled[cut.name], len(block)
        values = as_tensor(block, cut.source.dtype)
        tensors[cut.name].view(cut.shape[0], -1)[at : at + rows] = values.to(device=device, dtype=dtype)
        filled[cut.name] = at + rows
    yield from tensors.items()
