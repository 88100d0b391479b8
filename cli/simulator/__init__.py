"""The simulator: the engine's third host. A log in memory, virtual time, delivery assumed.

``engine`` runs journeys over what arrives; ``calls`` reads recorded calls and ``decisions`` prints what was decided
(``kikkake journeys simulate``). ``suite`` runs the tests that marketers write (``kikkake journeys test``): ``documents``
reads them, ``claims`` compares what they expect with what was decided. Nothing here reads a clock.
"""
