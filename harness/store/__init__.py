"""The results database, made from the records and safe to delete. Never holds a connection while a model runs."""
