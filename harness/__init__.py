"""What is measured: suites, scores, records and the store. Never draws a page."""
