"""How a model is run: token ids in, numbers out. Never sees text, prompts or tasks."""
