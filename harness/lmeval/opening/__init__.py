"""From the arguments of lm-eval's own Hugging Face model to a model in memory. Never asks it anything."""
