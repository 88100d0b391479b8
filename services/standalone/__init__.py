"""The whole engine in one process on one SQLite file: the embedded default."""
