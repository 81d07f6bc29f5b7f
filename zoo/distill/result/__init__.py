"""A finished distillation as a folder: checkpoint, note, model card, picture of the loss; never a decision of the run."""
