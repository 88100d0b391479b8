"""The simulator: the engine's third host. A log in memory, virtual time, delivery assumed.

``engine`` runs journeys over what arrives. For ``kikkake journeys simulate`` ``calls`` reads recorded calls and
``decisions`` prints what was decided. For ``kikkake journeys test`` ``suite`` runs the scenarios that ``documents``
reads, and ``claims`` compares what they expect with what was decided. ``replay`` decides a recorded log again, and for
``kikkake log check`` ``agreement`` compares that with what was decided live. Nothing here reads a clock.
"""
