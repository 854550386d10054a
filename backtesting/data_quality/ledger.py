"""The ledger of an inspection: every kind of finding counted, with the first lines and dates it was seen at."""

from collections.abc import Iterable
from dataclasses import dataclass

from backtesting.types import Finding, Integers, Severity

NAMED_LINES = 5
NAMED_DATES = 3
GRAVEST_FIRST = tuple(Severity)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding; its sentence may use {rows}, {bars}, {share} and {named}.

    Up to the `tolerated` share of the rows it is only a remark.
    """

    code: str
    severity: Severity
    sentence: str
    tolerated: float = 0.0


@dataclass(slots=True)
class Tally:
    """What was seen of one kind so far."""

    kind: Kind
    count: int = 0
    lines: tuple[int, ...] = ()
    named: tuple[str, ...] = ()


class Ledger:
    """Findings as they add up over the parts of a source."""

    def __init__(self) -> None:
        self._tallies: dict[str, Tally] = {}

    def add(self, kind: Kind, count: int, lines: Integers | None = None, named: Iterable[str] = ()) -> None:
        """Count a kind again; nothing is noted where the count is zero."""
        if not count:
            return
        tally = self._tallies.setdefault(kind.code, Tally(kind))
        tally.count += count
        seen = () if lines is None else tuple(int(line) for line in lines[:NAMED_LINES])
        tally.lines = (*tally.lines, *seen)[:NAMED_LINES]
        tally.named = (*tally.named, *named)[:NAMED_DATES]

    def conclude(self, kind: Kind, count: int) -> None:
        """Say once, of the whole, what may be concluded again when more is known."""
        self._tallies[kind.code] = Tally(kind, count)

    def findings(self, total: int) -> tuple[Finding, ...]:
        """Return what was found among this many rows, errors first."""
        found = [_finding(each, total) for each in self._tallies.values()]
        return tuple(sorted(found, key=lambda each: GRAVEST_FIRST.index(each.severity)))


def _finding(tally: Tally, total: int) -> Finding:
    kind, count = tally.kind, tally.count
    share = count / max(total, 1)
    severity = kind.severity if share > kind.tolerated else Severity.REMARK
    message = kind.sentence.format(
        rows=_counted(count, "row"), bars=_counted(count, "bar"), share=f"{share:.1%}", named=", ".join(tally.named)
    )
    return Finding(kind.code, severity, message, count, tally.lines)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
