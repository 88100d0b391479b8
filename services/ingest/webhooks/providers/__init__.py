"""What providers say of messages that they took: how each proves itself, and what its words mean."""
