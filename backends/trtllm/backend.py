"""The `trtllm` backend: a worker in TensorRT-LLM's interpreter, asked in the contract's words."""

from __future__ import annotations

from backends.contract import Options
from backends.driven.backend import DrivenBackend, open_driven
from backends.driven.generation import file_config
from backends.trtllm.generation import Settled
from backends.trtllm.interpreter import VARIABLE, find_interpreter, two_lines
from backends.trtllm.settings import device_groups, environment, refuse_unsupported, settled
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import EngineMissing

ENGINE_FILE = "trtllm_engine.py"


def open_trtllm(checkpoint: Checkpoint, options: Options) -> TrtllmBackend:
    """Open the checkpoint in TensorRT-LLM; the entry point of this backend.

    One worker a GPU that is named, or a group of GPUs that the model is cut over. Raises EngineMissing where no interpreter
    with TensorRT-LLM is known, what `settled`, `refuse_unsupported` and `device_groups` raise, and what `open_worker` raises
    for an interpreter that does not start, a release of another interface, and a model that it does not load.
    """
    refuse_unsupported(checkpoint)
    seats = [(settled(checkpoint, options, group[0]), environment(group)) for group in device_groups(options)]
    return open_driven(TrtllmBackend, ENGINE_FILE, checkpoint, _python(options), seats, options.random_weights)


class TrtllmBackend(DrivenBackend):
    """A model in a worker with TensorRT-LLM. A streamed token's time is that at which the engine's stream gave it."""

    name, engine = "trtllm", "TensorRT-LLM"

    def decoding(self, checkpoint: Checkpoint) -> Settled:
        """See `DrivenBackend`."""
        return Settled(file_config(checkpoint.folder), self.tokenizer, self.capabilities.max_length)


def _python(options: Options) -> str:
    """The interpreter; in a container that `worker_command` names, its own `python3` where none is named."""
    if options.worker_command:
        return options.python or "python3"
    found = find_interpreter(options.python)
    if found is not None:
        return found.python
    first, second = two_lines()
    raise EngineMissing(
        f"No interpreter with TensorRT-LLM is known: neither --python nor {VARIABLE} names one, and minizoo's own place is "
        "empty.",
        f"Make it:\n  {first}\n  {second}\nor run upstream's container with --worker-command.",
    )
