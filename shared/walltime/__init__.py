"""Clock faces and calendars: which instant a local time, window, anniversary or cron expression means.

Instants are milliseconds since the epoch; ``now`` is always an argument. Two rules hold everywhere: a wall time that
does not exist (the clock springs forward over it) is the first valid instant after it, and one that exists twice (the
clock falls back) is the first of the two. Zone data is that of the ``tzdata`` package and never the machine's, so that
a replay on another machine decides the same.
"""
