"""The page's section on speed: rows of the store become lines of text. Knows no HTML and computes no figure."""
