"""Freed memory that is kept is used again, without a page fault for each of its pages."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_FAULTS = """
import resource
from shared.memory import keep
if {kept}:
    keep()
def used():
    return bytearray(200_000), bytearray(8_000_000)
used()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    used()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*, kept: bool) -> int:
    code = _FAULTS.format(kept=kept)
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc is told so; another library is left as it is")
def test_what_is_kept_is_not_mapped_again() -> None:
    assert faults(kept=False) > 1_000 > 10 * faults(kept=True)
