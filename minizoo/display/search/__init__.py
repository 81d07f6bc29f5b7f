"""What `minizoo search` shows; never searches."""
