"""A packed model against the model's own forward pass, before it is used. Never scores for a user."""
