"""Running training entry points somewhere: here, or on a remote accelerator."""
