"""The fault harness: real evaluators on a real Kafka, ended, paused and cut off while they work; then judged.

``python -m tests.faults`` runs the rows that ``docs/reliability.md`` describes. What happens is drawn from a seed; what
came of it is compared, record by record, with the sequential oracle over the log that was written meanwhile.
"""
