"""The rows: one function each, from what it has to work with to its ``Result``."""
