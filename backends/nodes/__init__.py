"""One backend over nodes of a Ray cluster, a device each, and the way into such a cluster; never plans what is run."""
