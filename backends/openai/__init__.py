"""The `openai` backend: a model that a server runs already, asked by its completions API. Never loads a weight."""
