"""What backends of engines in interpreters of their own have in common. Never knows one of the engines."""
