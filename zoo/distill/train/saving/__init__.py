"""What a training run leaves on disk and goes on from; never a decision about the training itself."""
