"""``python -m services.evaluator``: one worker of the evaluator on Kafka."""

from __future__ import annotations

import gc

# Until its process is back a killed worker's partitions stand still. Hardly anything that a start makes is garbage, and
# looking for it again and again takes a seventh of the CPU time of the imports (0.2 of 1.4 s).
gc.disable()

# ruff: noqa: E402 - see above
from services.evaluator.app import build
from services.evaluator.settings import EvaluatorSettings
from services.evaluator.transport import run
from shared.entry import run_main
from shared.logs import configure_logging
from shared.memory import keep


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = EvaluatorSettings()
    configure_logging(settings.log_level, settings.log_format)
    keep()
    app = build(settings)
    # What is there now stays: no later collection looks at it.
    gc.freeze()
    gc.enable()
    run(app)


if __name__ == "__main__":
    run_main(main)
