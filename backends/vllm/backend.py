"""The `vllm` backend: a worker in vLLM's interpreter, asked in the contract's words."""

from __future__ import annotations

from backends.contract import Options
from backends.driven.backend import DrivenBackend, open_driven
from backends.driven.generation import file_config
from backends.vllm.generation import Settled
from backends.vllm.interpreter import VARIABLE, find_interpreter, two_lines
from backends.vllm.settings import device_groups, environment, settled
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import EngineMissing

ENGINE_FILE = "vllm_engine.py"


def open_vllm(checkpoint: Checkpoint, options: Options) -> VllmBackend:
    """Open the checkpoint in vLLM; the entry point of this backend.

    One worker a device that is named, or a group of devices that the model is cut over. Raises EngineMissing where no
    interpreter with vLLM is known, what `settled` and `device_groups` raise, and what `open_worker` raises for an interpreter
    that does not start, a vLLM of another version, and a model that it does not load.
    """
    groups = device_groups(options)
    python = _python(options, groups[0][0])
    seats = [(settled(checkpoint, options, group[0]), environment(group)) for group in groups]
    return open_driven(VllmBackend, ENGINE_FILE, checkpoint, python, seats, options.random_weights)


class VllmBackend(DrivenBackend):
    """A model in a worker with vLLM. A streamed token's time is that at which vLLM's step had returned."""

    name, engine = "vllm", "vLLM"

    def decoding(self, checkpoint: Checkpoint) -> Settled:
        """See `DrivenBackend`."""
        return Settled(file_config(checkpoint.folder), self.tokenizer, self.capabilities.max_length)


def _python(options: Options, device: str) -> str:
    """The interpreter; in a container that `worker_command` names, its own `python3` where none is named."""
    if options.worker_command:
        return options.python or "python3"
    found = find_interpreter(options.python)
    if found is not None:
        return found.python
    first, second = two_lines(gpu=device != "cpu")
    raise EngineMissing(
        f"No interpreter with vLLM is known: neither --python nor {VARIABLE} names one, and minizoo's own place is empty.",
        f"Make it:\n  {first}\n  {second}",
    )
