"""Results over nights as tables and JSON for a terminal; never looks for a change itself."""
