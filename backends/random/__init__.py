"""Models of true dimensions and drawn weights, for speed. Never scores."""
