"""What a student pays for each token: divergences whose logits are never whole, and the match of intermediate states."""
