"""From a user's word to a checkpoint that is known to be whole. Never loads a weight into a model."""
