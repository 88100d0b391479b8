"""The dispatcher's decisions as pure functions: no clock, no chance, no input or output."""
