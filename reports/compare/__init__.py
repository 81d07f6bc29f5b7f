"""Two models over the same documents, as the site shows them; never a test of its own."""
