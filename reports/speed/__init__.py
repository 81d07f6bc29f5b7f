"""The page's section on speed: rows of the store become lines of text. Never holds HTML, never computes a figure."""
