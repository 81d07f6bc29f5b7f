"""A file a command: options in, one call to a room below, one thing shown. Never holds domain logic."""
