"""What a finished distillation leaves: its note, its model card, the picture of its loss; never a changed weight."""
