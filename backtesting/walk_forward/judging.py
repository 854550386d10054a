"""Would it have worked on data it had not seen? The figures behind the answer, and the answer in words.

A loser is never called robust, and whoever made money is only if nothing of `doubts_of` speaks against it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, isfinite, log1p

from backtesting.types import Flag, MetricValue

FEWEST_WINDOWS, FEWEST_TRADES = 5, 30
SURE, MOST_POSITIVE, KEPT, MOST_IDLE, TOO_GOOD = 0.95, 0.6, 0.5, 0.2, 4.0


class Standing(StrEnum):
    """What is to be thought of the figures out of sample."""

    NOTHING = "nothing_to_judge"
    LOST = "lost"
    UNPROVEN = "unproven"
    ROBUST = "robust"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the answer rests on: metrics of the stitched curve, windows, and how training compares.

    `efficiency` is None where `inefficiency` says why.
    """

    metrics: Mapping[str, MetricValue]
    windows: int
    idle: int
    positive: int
    efficiency: float | None
    inefficiency: str | None

    def number(self, key: str) -> float | None:
        """Return a metric if it is a number."""
        value = self.metrics.get(key)
        return float(value) if value is not None and isfinite(value) else None

    @property
    def positive_share(self) -> float:
        """The share of windows that made money; one that stayed in cash did not."""
        return self.positive / self.windows if self.windows else 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer: in one word, in a sentence, and all that speaks against the figures."""

    standing: Standing
    sentence: str
    doubts: tuple[Flag, ...]


def efficiency_of(tested: float | None, trained: Sequence[tuple[float | None, int]]) -> tuple[float | None, str | None]:
    """Return annualised return out of sample / in sample (Pardo 2008), or None and why there is none.

    `trained` are the annual returns of the chosen sets and the sessions of their train spans; in sample they are
    compounded one after the other, as the tests are.
    """
    known = [(annual, sessions) for annual, sessions in trained if annual is not None]
    if tested is None or not known:
        return None, "not_computed"
    if min(annual for annual, _ in known) <= -1:
        return None, "train_return_not_positive"
    growth = sum(sessions * log1p(annual) for annual, sessions in known)
    before = exp(growth / sum(sessions for _, sessions in known)) - 1.0
    return (tested / before, None) if before > 0 else (None, "train_return_not_positive")


def judge(evidence: Evidence) -> Verdict:
    """Return the answer."""
    doubts = doubts_of(evidence)
    made, held = evidence.number("total_return"), evidence.number("benchmark_return")
    beside = "" if held is None else f", where buy and hold made {held:.2%}"
    if evidence.idle == evidence.windows or made is None or not evidence.number("total_trades"):
        return Verdict(Standing.NOTHING, "There is nothing to judge: it closed no trade out of sample.", doubts)
    if made <= 0:
        told = f"Not robust: on data it had not seen it made {made:.2%} after costs{beside}."
        return Verdict(Standing.LOST, told, doubts)
    told = f"it made {made:.2%} after costs on data it had not seen{beside}"
    if doubts:
        count = "one thing speaks" if len(doubts) == 1 else f"{len(doubts)} things speak"
        return Verdict(Standing.UNPROVEN, f"Unproven: {told}, but {count} against it.", doubts)
    share = f"{evidence.positive} of {evidence.windows} windows made money"
    return Verdict(Standing.ROBUST, f"Robust so far: {told}, and {share}. That is the past.", doubts)


def doubts_of(evidence: Evidence) -> tuple[Flag, ...]:
    """Return what speaks against the figures, as codes and sentences."""
    return tuple(Flag(code, told) for code, tell in DOUBTS.items() if (told := tell(evidence)))


def _few_windows(evidence: Evidence) -> str:
    return f"{evidence.windows} windows, fewer than {FEWEST_WINDOWS}" if evidence.windows < FEWEST_WINDOWS else ""


def _few_trades(evidence: Evidence) -> str:
    trades = evidence.metrics.get("total_trades") or 0
    return f"{trades} trades out of sample, fewer than {FEWEST_TRADES}" if trades < FEWEST_TRADES else ""


def _idle_windows(evidence: Evidence) -> str:
    idle, windows = evidence.idle, evidence.windows
    told = f"the capital stayed in cash in {idle} of {windows} windows: no set had min_trades trades in training or ran"
    return told if idle > MOST_IDLE * windows else ""


def _not_sure(evidence: Evidence) -> str:
    psr = evidence.number("psr")
    if psr is None:
        return "how sure its Sharpe ratio is cannot be told"
    told = f"the probability that its true Sharpe ratio is above 0 is {psr:.1%}, {SURE:.0%} would be sure"
    return told if psr < SURE else ""


def _seldom_positive(evidence: Evidence) -> str:
    told = f"{evidence.positive} of {evidence.windows} windows made money, fewer than {MOST_POSITIVE:.0%}"
    return told if evidence.positive_share < MOST_POSITIVE else ""


def _inefficient(evidence: Evidence) -> str:
    if evidence.efficiency is None:
        return "even in training the chosen sets made nothing, or nothing that can be told"
    told = f"it kept {evidence.efficiency:.0%} of the annual return of its training, less than {KEPT:.0%}"
    return told if evidence.efficiency < KEPT else ""


def _beaten(evidence: Evidence) -> str:
    own, held = evidence.number("sharpe_ratio"), evidence.number("benchmark_sharpe")
    if own is None or held is None or own > held:
        return ""
    return f"for its risk buy and hold did better: a Sharpe ratio of {held:.2f} against {own:.2f}"


def _too_good(evidence: Evidence) -> str:
    own = evidence.number("sharpe_ratio")
    return f"a Sharpe ratio of {own:.1f} is too good: look for look-ahead" if own and own > TOO_GOOD else ""


DOUBTS: Mapping[str, Callable[[Evidence], str]] = {
    "few_windows": _few_windows,
    "few_trades": _few_trades,
    "idle_windows": _idle_windows,
    "not_sure": _not_sure,
    "seldom_positive": _seldom_positive,
    "inefficient": _inefficient,
    "beaten_by_holding": _beaten,
    "too_good": _too_good,
}
