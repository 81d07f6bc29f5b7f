"""A local folder described by its small files and the headers of its weights: bytes, form, origin. Never converts or runs one."""
