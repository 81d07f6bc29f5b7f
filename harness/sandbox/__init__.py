"""Programs that a model wrote, run where they can do no harm. Never imports what it runs."""
