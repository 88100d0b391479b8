"""Asserts of the helpers that explain themselves as a test's do, and a changelog that does not rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.evaluator.changelog import partition as partition_module

pytest.register_assert_rewrite(
    "tests.unit.evaluator.changelog_workers", "tests.unit.evaluator.hosts", "tests.unit.evaluator.replays"
)


@pytest.fixture(scope="module")
def no_rest() -> Iterator[None]:
    """Nobody waits before trying again."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(partition_module, "_RETRY", 0)
        yield
