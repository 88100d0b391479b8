"""The evaluator's state on Kafka: rows, outbox and cursor of a partition in one compacted topic of our own.

Why not Faust's tables: they double-count after a crash and restore forty times slower (ARCHITECTURE.md, "State").
"""
