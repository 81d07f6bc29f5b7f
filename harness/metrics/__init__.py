"""What each number means: its unit, direction and chance, and what papers call it. Never measures one."""
