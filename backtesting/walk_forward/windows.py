"""Windows of a walk-forward: parameters are chosen on a train span and tried on the sessions right after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

import numpy as np
from pydantic import Field

from backtesting.errors import InvalidInputError, Problem
from backtesting.metrics.curves import session_ends
from backtesting.types import Input, Integers, instant

Sessions = Annotated[int, Field(ge=2, le=100_000)]
GapBars = Annotated[int, Field(ge=0, le=1_000_000)]


class Scheme(Input):
    """How a period is divided: lengths in sessions, gaps in bars, both gaps rounded up to whole sessions.

    Test spans follow one another without overlap. A rolling train span has always `train_sessions`, an anchored one
    begins with the period and grows. `purge_bars` are left out between the train and the test span; in the first
    `embargo_bars` of the test span nothing is traded yet, and the cash counts.
    """

    train_sessions: Sessions = 504
    test_sessions: Sessions = 126
    anchored: bool = False
    purge_bars: GapBars = 0
    embargo_bars: GapBars = 0


@dataclass(frozen=True, slots=True)
class Span:
    """Sessions of the period by number, from `first` to before `behind`."""

    first: int
    behind: int

    def __len__(self) -> int:
        return self.behind - self.first


@dataclass(frozen=True, slots=True)
class Window:
    """One train span and the test span it is for; `trade_from` is the first session of the test that may trade."""

    number: int
    train: Span
    test: Span
    trade_from: int


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The windows that fit into a period; `unused` sessions at its end are too few for another test span.

    `label` (sessions,) is midnight UTC of each session's day, `first_bar` (sessions + 1,) the first bar of each.
    """

    label: Integers
    first_bar: Integers
    each: Sequence[Window]
    unused: int

    def day(self, session: int) -> date:
        """Return the day of a session."""
        return instant(self.label[session]).date()

    def days(self, span: Span) -> tuple[date, date]:
        """Return the first and the last day of a span, as a request has them."""
        return self.day(span.first), self.day(span.behind - 1)


def windows_of(session: Integers, scheme: Scheme) -> Windows:
    """Divide the bars of a period, each labelled by its session; InvalidInputError where not one window fits."""
    ends = session_ends(session)
    first_bar = np.concatenate([[0], ends + 1])
    sessions, length = len(ends), scheme.test_sessions
    first = _first_test(first_bar, scheme)
    count = (sessions - first) // length
    if not count:
        raise _too_short(first_bar, scheme)
    tests = [Span(first + number * length, first + (number + 1) * length) for number in range(count)]
    each = [_window(number, test, first_bar, scheme) for number, test in enumerate(tests)]
    return Windows(session[ends], first_bar, each, sessions - tests[-1].behind)


def _first_test(first_bar: Integers, scheme: Scheme) -> int:
    """Return the first session with a whole train span and the purged bars before it, or the number of sessions."""
    sessions = len(first_bar) - 1
    if scheme.train_sessions > sessions:
        return sessions
    return min(int(np.searchsorted(first_bar, first_bar[scheme.train_sessions] + scheme.purge_bars)), sessions)


def _train_end(first_bar: Integers, test: int, scheme: Scheme) -> int:
    """Return the first session that is not in the train span of a test from this session on."""
    return int(np.searchsorted(first_bar, first_bar[test] - scheme.purge_bars, side="right")) - 1


def _window(number: int, test: Span, first_bar: Integers, scheme: Scheme) -> Window:
    behind = _train_end(first_bar, test.first, scheme)
    trade_from = int(np.searchsorted(first_bar, first_bar[test.first] + scheme.embargo_bars))
    if trade_from >= test.behind:
        bars = int(first_bar[test.behind] - first_bar[test.first])
        told = f"{scheme.embargo_bars} leave nothing to trade of a test span of {bars} bars: lower it, or raise "
        raise InvalidInputError([Problem("embargo_bars", f"{told}test_sessions")])
    return Window(number, Span(0 if scheme.anchored else behind - scheme.train_sessions, behind), test, trade_from)


def _too_short(first_bar: Integers, scheme: Scheme) -> InvalidInputError:
    """Say what would fit."""
    sessions, test = len(first_bar) - 1, scheme.test_sessions
    last_test = max(sessions - test, 0)
    longest = max(_train_end(first_bar, last_test, scheme), 0)
    gap = last_test - longest
    between = f", {gap} between them" if scheme.purge_bars and gap else ""
    fitting = f"train_sessions {longest} would just do, a fifth of the period leaves several windows; or "
    told = (
        f"the period has {sessions} sessions, and the first window needs {scheme.train_sessions + gap + test}: "
        f"{scheme.train_sessions} to train, {test} to test{between}; "
        f"{fitting if longest > 1 else ''}choose a longer period"
    )
    return InvalidInputError([Problem("train_sessions", told)])
