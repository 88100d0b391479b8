"""Ingest against a plain handler and a bare producer: P1, P2 and P3."""
