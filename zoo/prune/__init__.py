"""From a Hugging Face checkpoint to a smaller one: importance is measured, a plan made, the child written. Never trains."""
