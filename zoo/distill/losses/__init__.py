"""What distillation minimises, exact and in chunks; never a logits tensor that is whole."""
