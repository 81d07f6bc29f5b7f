"""Each page of the site from its data to HTML, a file a kind of page; never a query, never a figure of its own."""
