"""``python -m services.evaluator``: one worker of the evaluator on Kafka."""

from __future__ import annotations

from services.evaluator.app import build
from services.evaluator.settings import EvaluatorSettings
from services.evaluator.transport import run
from shared.entry import run_main
from shared.logs import configure_logging


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = EvaluatorSettings()
    configure_logging(settings.log_level, settings.log_format)
    run(build(settings))


if __name__ == "__main__":
    run_main(main)
