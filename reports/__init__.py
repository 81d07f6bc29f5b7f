"""What people look at: pages made from the store. Never measures and never writes a record."""
