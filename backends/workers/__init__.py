"""A backend in a process of its own, in the interpreter that its engine needs; never imports an engine here."""
