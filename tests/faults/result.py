"""What a row says at its end: one line, and what it missed."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tests.faults.judge import FAULTS, Findings


class Result(msgspec.Struct, kw_only=True):
    """One row's end. ``figures`` are its own measures, ``missed`` the goals that it did not reach, in words."""

    row: str
    findings: Findings
    figures: Mapping[str, float] = {}
    missed: list[str] = []

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong and every goal was reached."""
        return self.findings.clean and not self.missed

    def require(self, figure: str, at_most: float) -> None:
        """Make ``figure`` a goal."""
        if self.figures[figure] > at_most:
            self.missed.append(f"{figure}={_number(self.figures[figure])}, the goal is at most {_number(at_most)}")

    def expect(self, holds: object, otherwise: str) -> None:
        """Make a condition a goal; ``otherwise`` says how it was missed."""
        if not holds:
            self.missed.append(otherwise)

    def lines(self) -> list[str]:
        """Return the row's line, and below it what is wrong."""
        found = self.findings
        always = {"events": found.events, "decisions": found.decisions, "repeated": found.repeated}
        wrong = {name: getattr(found, name) for name in FAULTS}
        shown = wrong if not found.clean else {name: wrong[name] for name in ("lost", "doubled", "mistimed")}
        figures = {**always, **self.figures, **shown}
        line = " ".join([self.row, *(f"{name}={_number(value)}" for name, value in figures.items())])
        return [line if self.passed else f"{line} FAILED", *(f"  {text}" for text in (*self.missed, *found.examples))]


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
