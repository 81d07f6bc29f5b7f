"""From a Hugging Face checkpoint to a smaller one: `importance` scores, `plan` chooses, `slice` cuts; nothing here trains."""
