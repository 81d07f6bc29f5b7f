"""Results that other tools measured, read into records and marked as imported. Never measures, never corrects."""
