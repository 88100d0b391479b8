"""Every document that a test of this folder reads is also shown to its JSON Schema, which has to agree."""

from tests.unit.shared.journeys.conftest import _schema_agrees

__all__ = ["_schema_agrees"]
