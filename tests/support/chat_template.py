"""A tokenizer with a chat template that takes no system turn."""

import json
import shutil
from pathlib import Path

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
    "<{{ m.role }}>{{ m.content }}{% if not loop.last or add_generation_prompt %}</>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def copy_with_chat_template(checkpoint: Path, folder: Path, template: str = TEMPLATE) -> Path:
    """A writable copy of the checkpoint, its tokenizer with the template."""
    shutil.copytree(checkpoint, folder)
    for path in [folder, *folder.iterdir()]:
        path.chmod(0o755)
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "chat_template": template}))
    return folder
