"""Results that other tools measured, read into minizoo's records and marked as imported; never measures, never corrects."""
