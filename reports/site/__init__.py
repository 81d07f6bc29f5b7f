"""The site's pages, rendered and written; never a number of their own."""
