"""A site for each test."""

from __future__ import annotations

import pytest

from tests.unit.ingest.sites import Site


@pytest.fixture
def site() -> Site:
    return Site()
