"""The evaluator beside its peers: the same cart job by each of them on the same broker."""
