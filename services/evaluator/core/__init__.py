"""The engine, pure: no clock, no random number, no input or output, no framework.

Theory of operation
===================

A contact is a state machine whose state is one ``ContactState``. Two things happen to it (``occurrence``): an event or
outcome arrives from the log, or a timer comes due. ``advance(catalog, state, occurrence)`` returns the next state and
what follows from it: commands, cancels and journal records. The same log gives the same results on every host.

Order. The host calls ``due_timers`` before each record: the contact's timers due *before* the record's log time fire
first, in the order of (due, journey, run, step), including those they arm; at equal time the record goes first; what
the record arms overdue fires right after it. A timer's ``now`` is its due time, never the time at which it fired, so
it makes no difference to the result how late a host gets to it.

From most events nothing follows (``quiet``): they are remembered and no more is done about them. All others are applied
in this order, each part in a module of its own:

1. ``profile``   duplicates are dropped; traits, consent and the history that some condition asks for are kept.
2. ``settle``    an outcome frees or uses up the slot of its command.
3. ``goals``     conversions are credited to earlier sends.
4. ``exits``     runs that the event ends end now; their unsettled commands are cancelled.
5. ``steps``     waits that the event resets start anew.
6. ``entry``     journeys that the event triggers are entered, or not, with the reason.

A run stands on one step. Steps are entered one after another until one of them waits or the run ends (``steps``). All
of this works on a ``Draft``, a private copy of the state, so that an error half-way changes nothing.
"""
