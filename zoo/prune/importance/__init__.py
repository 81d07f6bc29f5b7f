"""What heads, neurons, channels and layers are worth, by forward passes alone. Never cuts."""
