"""What is known of engines, for a terminal and as JSON. Never runs one."""
