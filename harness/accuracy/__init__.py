"""An evaluation from request to records. Never computes a log-probability itself."""
