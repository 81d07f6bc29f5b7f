"""Programs that a model wrote, run in isolation. Never imports what it runs, and never runs one where nothing isolates."""
