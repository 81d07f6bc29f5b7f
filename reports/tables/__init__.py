"""The tables of the site and of the terminal, and their Markdown, CSV and JSON; never HTML."""
