"""Ingest: wire formats → Event → log. Answers 200 only for what is durable."""
