"""registry.yaml: its schema, its rules, its doubts, its lineage. Holds what others published, never what minizoo measured."""
