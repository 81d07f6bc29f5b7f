"""Series over nights as pictures and tables for the site's page; never looks for a change itself."""
