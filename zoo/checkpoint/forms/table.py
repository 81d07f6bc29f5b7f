"""Forms of weights that minizoo does not read: by what names they are known, and what turns each into safetensors."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

LEAVE = "Load it with the code that wrote it and write it with transformers' `save_pretrained`."


class Form(NamedTuple):
    """A form: what it is called, names of its files, what to do. `{where}` and `{file}` stand quoted in the hint."""

    what: str
    names: tuple[str, ...]
    hint: str


@dataclass(frozen=True)
class Found:
    """A form that a folder holds, and the first of its files."""

    form: Form
    file: str


GGUF = Form("GGUF, the form of llama.cpp", ("*.gguf",), "")
"""Its hint is a line of its own: `gguf_line`."""
FORMS = (
    GGUF,
    Form(
        "Meta's own form", ("consolidated.*.pth",),
        "Take the model's repository in Hugging Face form, or convert this one by convert_llama_weights_to_hf.py of "
        "transformers' repository (src/transformers/models/llama): `python convert_llama_weights_to_hf.py --input_dir {where} "
        "--output_dir {out} --model_size SIZE --llama_version VERSION`.",
    ),
    Form(
        "NeMo", ("*.nemo",),
        "Convert it by NeMo 2.0's script of the architecture (scripts/checkpoint_converters), for Nemotron: `python "
        "convert_nemotron_nemo_to_hf.py --input_name_or_path {file} --output_path pytorch_model.bin`; then put that beside the "
        "model's config.json and tokenizer.",
    ),
    Form(
        "a distributed checkpoint of torch", ("*.distcp", "*/*.distcp"),
        "`python -m torch.distributed.checkpoint.format_utils dcp_to_torch {folder} pytorch_model.bin` joins it; put that "
        "beside config.json if its tensors have transformers' names.",
    ),
    Form(
        "a checkpoint of DeepSpeed",
        ("*/*_optim_states.pt", "*/*_model_states.pt", "*_model_states.pt", "zero_to_fp32.py"),
        "`python -m deepspeed.utils.zero_to_fp32 {where} {out}` joins it; put config.json and the tokenizer beside.",
    ),
    Form(
        "TensorFlow", ("tf_model*.h5", "*.h5", "*.ckpt.index", "*.ckpt.data-*", "saved_model.pb"),
        "With transformers below 5 and TensorFlow: `AutoModelForCausalLM.from_pretrained(FOLDER, from_tf=True)"
        ".save_pretrained(OUT)`.",
    ),
    Form(
        "Flax", ("flax_model*.msgpack", "*.msgpack"),
        "With transformers below 5 and Flax: `AutoModelForCausalLM.from_pretrained(FOLDER, from_flax=True)"
        ".save_pretrained(OUT)`.",
    ),
    Form(
        "GGML, which llama.cpp left for GGUF", ("ggml-*.bin", "*.ggml", "*.llamafile"),
        "Take the model that it was made from: nothing converts it back.",
    ),
    Form(
        "a compiled or exported model",
        ("*.onnx", "*.onnx_data", "*/*.onnx", "*.engine", "*.plan", "*.pte", "*.tflite", "openvino_model.*", "*.mlmodel"),
        "Take the checkpoint that it was made from: nothing converts it back.",
    ),
    Form(
        "MLX", ("weights*.npz", "*.npz"),
        "`mlx_lm.convert --hf-path {where} --mlx-path {out} --dequantize` writes safetensors.",
    ),
    Form("PaddlePaddle", ("*.pdparams",), LEAVE),
    Form(
        "torch's form under another name", ("*.pth", "*.pt", "*.ckpt"),
        "If it holds a plain state dict whose tensors have transformers' names, copy it as pytorch_model.bin beside "
        f"config.json: minizoo converts that. If not: {LEAVE[0].lower()}{LEAVE[1:]}",
    ),
    Form(
        "torch's form under another name", ("pytorch_model*.bin",),
        "A variant, or shards without pytorch_model.bin.index.json: fetch the index, or rename one whole file to "
        "pytorch_model.bin if these weights are the ones that are meant.",
    ),
    Form("a file of CTranslate2 or another engine", ("model.bin",), LEAVE),
    Form("an archive", ("*.tar", "*.tar.gz", "*.tgz", "*.zip", "*.7z", "*.tar.zst"), "Unpack it and give the folder."),
)  # fmt: skip
"""In the order in which they are looked for: what is closest to a whole model first."""
NO_WEIGHTS = (
    "training_args.bin",
    "optimizer.*",
    "scheduler.*",
    "scaler.pt",
    "rng_state*",
    "random_states*",
    "adapter*",
)
"""Names that match a pattern above, and are a trainer's or an adapter's own."""


def find(names: list[str]) -> Found | None:
    """The first form of FORMS that has a file among the names; None where no name is known."""
    known = [name for name in names if not any(fnmatchcase(name.rpartition("/")[2], no) for no in NO_WEIGHTS)]
    for form in FORMS:
        if files := [name for name in known if any(_matches(name.lower(), pattern) for pattern in form.names)]:
            return Found(form, _chosen(form, files))
    return None


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name.rpartition("/")[2], pattern)


def _chosen(form: Form, files: list[str]) -> str:
    """The file to convert: of several GGUFs the one with the most bits a weight, by its name."""
    if form is not GGUF:
        return files[0]
    whole = [name for name in files if not name.lower().startswith("mmproj")] or files
    return min(whole, key=lambda name: next((at for at, bits in enumerate(BITS) if bits in name.lower()), len(BITS)))


BITS = ("f32", "bf16", "f16", "q8", "q6", "q5", "q4", "iq4", "q3", "q2", "iq")
"""Parts of a GGUF's name that say how it is quantised, best first."""
