"""What a run goes through before its first step: the two models, the text, the teacher; each goes on where it was stopped."""
