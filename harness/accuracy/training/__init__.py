"""What a training run asks of tasks: a checkpoint's scores, and the documents to look for in text; never a training itself."""
