"""What was decided at which close, on which terms it is traded, and what became of decisions that were not."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from backtesting.errors import InvalidInputError, Problem
from backtesting.types import Booleans, Costs, Fill, Floats, OrderOptions, Signals

T = TypeVar("T", bound=np.generic)
PLAIN = OrderOptions()


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms signals are traded; `history` bars come before the period, `first_decision` counts from there.

    Without `options.sizing` an entry spends `position_size` of the equity.
    """

    initial_capital: float
    position_size: float
    costs: Costs
    fill: Fill
    first_decision: int
    history: int
    options: OrderOptions = PLAIN

    @property
    def delay(self) -> int:
        """Bars from a decision to its fill (T2)."""
        return 0 if self.fill == "same_close" else self.options.delay_bars

    def due(self, decided: NDArray[T], before: T) -> NDArray[T]:
        """Move what stands at deciding bars to the period's bars of the fills; `before` where none decided."""
        reach = self.history - self.delay
        if reach >= 0:
            return decided[reach : len(decided) - self.delay]
        early = np.full((-reach, *decided.shape[1:]), before, decided.dtype)
        return np.concatenate([early, decided[: len(decided) - self.delay]])


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """Entries and exits that count, at their deciding bars: of the asked-for direction, conflicts resolved (O5)."""

    enter_long: Booleans
    exit_long: Booleans
    enter_short: Booleans
    exit_short: Booleans
    conflicting: int


def decisions_of(signals: Signals, terms: Terms) -> Decisions:
    """Resolve the signals decided from `first_decision` on (W2): an exit beats an entry, opposite entries cancel out.

    InvalidInputError where shorts are asked of a strategy that has no rule for them.
    """
    long, short = (terms.options.direction in {side, "both"} for side in ("long", "short"))
    nothing = np.zeros(len(signals.entries), dtype=np.bool_)
    enter_long, exit_long, undecided = (
        _resolved(signals.entries, signals.exits, terms) if long else (nothing, nothing, 0)
    )
    if not short:
        return Decisions(enter_long, exit_long, nothing, nothing, undecided)
    enter_short, exit_short, more = _resolved(*_short_rules(signals), terms)
    opposite = enter_long & enter_short
    undecided += more + int(np.count_nonzero(opposite))
    return Decisions(enter_long & ~opposite, exit_long, enter_short & ~opposite, exit_short, undecided)


def ignored_and_pending(decisions: Decisions, units: Floats, terms: Terms) -> tuple[int, int]:
    """Count the entries that met a position in their direction (O6), and the signals whose fill lies beyond the end.

    `units` are the holdings at the period's closes; a decision that fills at its own close meets those before it.
    """
    first = np.zeros(terms.history + (0 if terms.delay else 1))
    held = np.concatenate([first, units])[: len(decisions.enter_long)]
    long, short = held > 0, held < 0
    met = (decisions.enter_long & long) | (decisions.enter_short & short)
    ignored = int(np.count_nonzero(met))
    if not terms.delay:
        return ignored, 0
    last = slice(-terms.delay, None)  # all that can be pending
    enter = (decisions.enter_long[last] | decisions.enter_short[last]) & ~met[last]
    leave = (decisions.exit_long[last] & long[last]) | (decisions.exit_short[last] & short[last])
    return ignored, int(np.count_nonzero(enter | leave))


def _short_rules(signals: Signals) -> tuple[Booleans, Booleans]:
    if signals.short_entries is None or signals.short_exits is None:
        raise InvalidInputError([Problem("direction", "this strategy has no rule for short positions: use 'long'")])
    return signals.short_entries, signals.short_exits


def _resolved(entries: Booleans, exits: Booleans, terms: Terms) -> tuple[Booleans, Booleans, int]:
    """Return entries without those that an exit beats, exits, and the number of such conflicts; none decided early."""
    counting = exits.copy()
    counting[: terms.first_decision] = False
    clear = entries & ~counting
    clear[: terms.first_decision] = False
    return clear, counting, int(np.count_nonzero(entries & counting))
