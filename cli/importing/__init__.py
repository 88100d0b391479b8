"""``kikkake import``: a file of history to a running system, by HTTP."""
