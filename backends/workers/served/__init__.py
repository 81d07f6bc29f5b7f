"""What runs inside a worker, by path, on the standard library and its engine alone; never imported by the parent but `wire`."""
