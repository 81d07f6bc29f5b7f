"""From records to rows of the database: every derived number is made here. Never opens a database."""
