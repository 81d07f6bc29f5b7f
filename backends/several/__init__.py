"""One backend over several workers, a device or a share of the CPU each; never computes a probability itself."""
