"""What a finished distillation leaves: a checkpoint with its note, its model card and the picture of its loss."""
