"""Tables and progress for a terminal. Never computes what it shows."""
