"""The ``kikkake`` command: one module per subcommand."""
