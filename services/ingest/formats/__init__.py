"""The wire formats: what other people's libraries send, read as calls of ours.

A format is one module with a table of its routes (``ROUTES``, of ``base.Route``). A route names its paths and a pure
function from the request as data to the calls in it; what is checked, written and refused after that is the same for
all of them (``plan``). To add a format: the module, its row in ``services/ingest/routes.py`` (``FORMATS``), its bodies
in ``tests/unit/ingest/formats/``.
"""
