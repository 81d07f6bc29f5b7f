"""What a run goes through beside its training: models, text, teacher, correction, each resumable; never a step of its own."""
