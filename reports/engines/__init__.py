"""What is known of engines: outcomes of conformance as tables of a page. Never runs one."""
