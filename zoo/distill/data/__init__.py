"""Text to packed rows of tokens in a fixed order; never a model."""
