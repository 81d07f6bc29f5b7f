"""Results over nights, and where they changed; never alarms, and never runs anything."""
