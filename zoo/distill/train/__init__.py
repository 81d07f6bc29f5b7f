"""The optimizer's steps, on one device or many, and what they leave on disk; never a loss of its own."""
