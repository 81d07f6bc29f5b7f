"""The student over the ranks: whole, whole on each (DDP), or in shards (`fully_shard`, FSDP2); the teacher in shards."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from zoo.checkpoint.in_memory.logit_shell import decoder_of
from zoo.distill.settings import TrainSettings
from zoo.distill.train.objective import Objective
from zoo.distill.train.units import compute_in, compute_twice
from zoo.distill.train.world import World
from zoo.errors import UnsupportedArchitecture

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def spread(objective: Objective, settings: TrainSettings, world: World) -> nn.Module:
    """The module whose forward pass is called: `objective` on its device, its trained weights in fp32, frozen ones as computed.

    fsdp: a group a decoder layer, gathered for its forward and once more for its backward pass; embedding, norm, head and
    projection in the root's group, gathered once a step. A rank then holds its share of every parameter, gradient and moment,
    with `settings.offload` in the host's memory, where the optimizer then computes too.
    """
    compute = DTYPES[settings.dtype]
    layers = layers_of(objective.student.train())
    if world.mode == "fsdp":
        if settings.checkpoint_activations:
            compute_twice(layers)
        return _sharded(objective, layers, compute, world, settings.offload)
    _hold(objective, compute)
    objective.to(world.device)
    if compute != torch.float32:
        compute_in(compute, objective, layers)
    if settings.checkpoint_activations:
        compute_twice(layers)  # around the casts, which are made again as well
    if world.mode == "none":
        return objective
    from torch.nn.parallel import DistributedDataParallel

    where = [world.device.index] if world.device.type == "cuda" else None
    return DistributedDataParallel(objective, device_ids=where, gradient_as_bucket_view=True)


def shard_teacher(teacher: Any, world: World, offload: bool = False) -> None:
    """Put a frozen teacher on this rank's device; under fsdp its decoder in shards, gathered a layer at a time.

    Its head stays whole on every rank's device, since the loss reads it in chunks outside of the teacher's forward pass; so
    does an embedding that is tied to it. With `offload` the shards wait in the host's memory.
    """
    if world.mode != "fsdp":
        teacher.to(world.device)
        return
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(world.device.type, (world.size,))
    head = set(teacher.get_output_embeddings().parameters())
    policy = _offload_policy(offload, world)
    for layer in layers_of(teacher):
        fully_shard(layer, mesh=mesh, offload_policy=policy)
    decoder = decoder_of(teacher)
    # nothing comes back for a second, backward pass: what is gathered goes at once
    fully_shard(decoder, mesh=mesh, reshard_after_forward=True, ignored_params=head, offload_policy=policy)
    _place(teacher, world.device, offload)


def layers_of(model: Any) -> list[nn.Module]:
    """The decoder layers, each of which is gathered, cast and recomputed for itself. Raises UnsupportedArchitecture."""
    layers = getattr(decoder_of(model), "layers", None)
    if not isinstance(layers, nn.ModuleList):
        raise UnsupportedArchitecture(
            f"The decoder layers of {type(model).__name__} are not found, so it cannot be trained layer by layer.",
            "Distillation takes causal language models such as Llama, Mistral and Nemotron.",
        )
    return list(layers)


def _sharded(
    objective: Objective, layers: list[nn.Module], compute: torch.dtype, world: World, offload: bool
) -> nn.Module:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    mesh = init_device_mesh(world.device.type, (world.size,))
    param = None if compute == torch.float32 else compute
    policy = MixedPrecisionPolicy(param_dtype=param, reduce_dtype=torch.float32, cast_forward_inputs=False)
    for unit in [*layers, objective]:
        _hold(unit, compute)  # a unit at a time, so that no rank ever holds the whole student in fp32
        fully_shard(unit, mesh=mesh, mp_policy=policy, offload_policy=_offload_policy(offload, world))
    _place(objective, world.device, offload)
    return objective


def _offload_policy(offload: bool, world: World) -> Any:
    """Where shards wait: on the device; or on the host, in pages that a GPU reads by itself."""
    from torch.distributed.fsdp import CPUOffloadPolicy, OffloadPolicy

    return CPUOffloadPolicy(pin_memory=world.device.type == "cuda") if offload else OffloadPolicy()


def _place(module: nn.Module, device: torch.device, offload: bool) -> None:
    """Put it on the device; with `offload` all but the shards, which `fully_shard` brings there itself."""
    if not offload:
        module.to(device)
        return
    for part in module.modules():
        for name, buffer in part.named_buffers(recurse=False):
            setattr(part, name, buffer.to(device))
        for parameter in part.parameters(recurse=False):
            if not _is_sharded(parameter):
                parameter.data = parameter.data.to(device)


def _hold(unit: nn.Module, compute: torch.dtype) -> None:
    """Trained parameters in fp32, in which they move by less than bf16 can tell; frozen ones in the dtype of the products."""
    for parameter in unit.parameters():
        if not _is_sharded(parameter):
            parameter.data = parameter.data.to(torch.float32 if parameter.requires_grad else compute)


def _is_sharded(parameter: nn.Parameter) -> bool:
    from torch.distributed.tensor import DTensor

    return isinstance(parameter, DTensor)
