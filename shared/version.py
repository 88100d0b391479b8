"""Which release this is: what `kikkake --version` says, and what whoever is asked over HTTP sees of us."""

from __future__ import annotations

VERSION = "0.1.0"
"""Written here too, for images hold our sources without their package; a test compares the two."""
USER_AGENT = f"Kikkake/{VERSION}"
"""Of every request that we make of another's server."""
