"""Ctrl-C while ``kikkake`` still imports what it needs."""

from __future__ import annotations

import subprocess
import sys
import tomllib

from tests.builders import ROOT

INTERRUPTED = """
import os, runpy, signal, sys

class Import:
    def find_spec(self, name, path, target=None):
        if name == "cli.main":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Import())
"""


def test_who_stops_it_in_its_first_second_reads_no_traceback() -> None:
    for start in ("from cli.start import main; main()", "runpy.run_module('cli', run_name='__main__')"):
        ended = subprocess.run(
            [sys.executable, "-c", INTERRUPTED + start],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (130, "", "") == (ended.returncode, ended.stdout, ended.stderr)


def test_the_command_that_is_installed_starts_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"kikkake": "cli.start:main"} == project["scripts"]
