"""What a diagnostic is made from, and the ones that judge a flag."""

from collections.abc import Callable
from dataclasses import dataclass

from backtesting.flags import Findings
from backtesting.types import Diagnostic, Flag, Weight


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A run under review."""

    found: Findings
    flags: tuple[Flag, ...]

    def values(self, *keys: str) -> tuple[float, ...] | None:
        """Return the named metrics; None if any of them is undefined."""
        values = tuple(value for key in keys if (value := self.found.metrics[key]) is not None)
        return values if len(values) == len(keys) else None


Rule = Callable[[Case], Diagnostic | None]


def judged(code: str, weight: Weight, advice: str) -> Rule:
    """Return the rule that gives a flag its weight and says what to do about it."""

    def rule(case: Case) -> Diagnostic | None:
        messages = [flag.message for flag in case.flags if flag.code == code]
        return Diagnostic(code, weight, "; ".join(messages), advice) if messages else None

    rule.__name__ = code
    return rule
