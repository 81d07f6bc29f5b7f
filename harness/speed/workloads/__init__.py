"""Named speed tests as data, one YAML file each. Never runs one."""
