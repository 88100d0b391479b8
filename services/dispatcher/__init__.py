"""The dispatcher: takes commands from the log, checks again, renders, and hands each to its provider, once.

Theory of operation. Every command has one row in ``deliveries``; the row is written and acknowledged before the step it
announces is taken:

    (none) ──▶ deferred ◀──▶ sending ──▶ settled ──▶ reported
       │           │                                    ▲
       └──▶ cancelled (command not read yet) ───────────┤
                   └────────────── skipped ─────────────┘

``sending`` is the only state in which a provider may hold the message: a crash there is ambiguous, and the command's
``on_ambiguous`` decides. A crash at any other line is answered by doing the step again, which changes nothing.
"""
