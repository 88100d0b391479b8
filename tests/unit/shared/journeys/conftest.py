"""Every document that a test of this folder reads is also shown to its JSON Schema, which has to agree."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.schemas import reading


@pytest.fixture(autouse=True, scope="module")
def _schema_agrees() -> Iterator[None]:
    with reading() as documents:
        yield
    assert [] == [found for document in documents if (found := document.disagreement())][:3]
