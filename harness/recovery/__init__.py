"""What pruning cost a parent and distillation won back, over the same documents of all three; never runs a model."""
