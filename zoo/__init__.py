"""What a model is and how it is made: registry, architecture, the nano family. Never runs a benchmark."""
