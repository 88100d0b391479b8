"""How every program of ours starts: whoever starts it reads one clear text when it cannot, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from pydantic import ValidationError
from pydantic_settings import SettingsError

from shared.errors import KikkakeError


def run_main(main: Callable[[], object]) -> None:
    """Run ``main``; an error of ours or a setting that is none is said on stderr, with exit code 1."""
    try:
        main()
    except (KikkakeError, SettingsError) as error:
        _leave(str(error))
    except ValidationError as error:
        _leave("; ".join(_faults(error)))


def _leave(said: str) -> None:
    sys.stderr.write(f"kikkake: {said}\n")
    sys.exit(1)


def _faults(error: ValidationError) -> list[str]:
    """Return what is wrong with each variable. Not with which value: that may be a secret."""
    return [f"KIKKAKE_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
