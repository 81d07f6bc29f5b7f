"""The only importer of lm-eval: tasks, prompts, encoding, responses, scores. Never runs a model."""
