"""The `pruned` backend: checkpoints that `from_pretrained` cannot load. Never writes one."""
