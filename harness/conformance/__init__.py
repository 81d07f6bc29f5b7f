"""What is known of backends, kept with the results and looked up by what it covers. Never runs a task or judges a score."""
