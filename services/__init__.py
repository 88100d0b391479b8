"""The services. None imports another; ``standalone`` composes them all."""
