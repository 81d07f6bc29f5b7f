"""Importance of heads, neurons, channels and layers, measured by forward passes. Never trains."""
