"""What travels through the log: one module per message, one codec, one table of topics."""
