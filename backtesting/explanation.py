"""Why a stored run made one of its trades: what decided it, how it was filled, and what ended it."""

from collections.abc import Iterator

import numpy as np

from backtesting.conditions import conditions_of
from backtesting.engine import BacktestEngine
from backtesting.errors import BacktestError, InvalidInputError, Problem
from backtesting.evaluation import year_of
from backtesting.ports import RunRepository
from backtesting.replay import Evaluated, ended, replay
from backtesting.types import (
    AtrMultiple,
    Bars,
    Booleans,
    Change,
    Decision,
    ExitReason,
    Explanation,
    FillDetail,
    Run,
    Summary,
    Trade,
    instant,
)
from backtesting.verification import causes_of_change


def explain(engine: BacktestEngine, runs: RunRepository, run_id: str, number: int) -> Explanation:
    """Explain a trade by its number; InvalidInputError tells which numbers there are.

    The run is replayed. Where that does not give the stored trade again, on the very bars of the run, the trade is told
    as it was stored, with what has changed since.
    """
    run = ended(runs, run_id)
    if run.summary is None:
        raise BacktestError(f"run {run.id} failed and has no trades: {run.error}")
    trade = _stored(run, run.summary, runs, number)
    again = replay(engine, run)
    if isinstance(again, BacktestError):
        return Explanation(run.id, trade, changes=(Change("outcome", "completed", str(again)),))
    changes = causes_of_change(run, run.summary, again, runs.equity(run.id))
    rule = again.plan.strategy.description()
    if not _is_made_again(run.summary, again, trade):
        return Explanation(run.id, trade, rule, changes)
    story = _Story(again, trade)
    return Explanation(
        run_id=run.id,
        trade=trade,
        rule=rule,
        changes=changes,
        entry_decision=story.entry_decision(),
        exit_decision=story.exit_decision(),
        entry=story.entry(),
        exit=story.exit(),
        levels=dict(story.levels()),
        bars_held=story.last - story.first,
    )


def _stored(run: Run, summary: Summary, runs: RunRepository, number: int) -> Trade:
    if not summary.trades:
        raise InvalidInputError([Problem("number", f"run {run.id} made no trades: there is none to explain")])
    if not 0 <= number < summary.trades:
        known = f"0 to {summary.trades - 1}" if summary.trades > 1 else "0 alone"
        raise InvalidInputError([Problem("number", f"run {run.id} has no trade {number}: its trades are {known}")])
    return runs.trades(run.id, number, 1)[0]


def _is_made_again(summary: Summary, again: Evaluated, trade: Trade) -> bool:
    """Tell whether the replay used the bars of the run and made its trade."""
    same = summary.provenance["data_hash"] == again.result.summary.provenance["data_hash"]
    return same and trade.number < len(again.result.trades) and again.result.trades[trade.number] == trade


class _Story:
    """A trade on the bars it was made on; `first` and `last` are its bars, counted from the first one loaded."""

    def __init__(self, again: Evaluated, trade: Trade) -> None:
        self._again, self._trade = again, trade
        self._request, self._bars = again.plan.request, again.loaded.bars
        self._signals = again.plan.strategy.signals(self._bars)
        trades, history = again.result.trades, again.loaded.history
        self.first = history + int(trades.entry_bar[trade.number])
        self.last = history + int(trades.exit_bar[trade.number])
        self._sign = -1.0 if trade.direction == "short" else 1.0
        self._decided = self.first - self._request.delay

    def entry_decision(self) -> Decision:
        """Return what decided the entry."""
        return self._decision(self._decided, f"the {self._trade.direction} entry rule is met")

    def exit_decision(self) -> Decision | None:
        """Return what decided the exit, None where it was not a signal."""
        if self._trade.exit_reason != ExitReason.SIGNAL:
            return None
        bar = self.last - self._request.delay
        by_rule = self._exits()[bar]
        opposite = "long" if self._sign < 0 else "short"
        met = f"the {self._trade.direction} exit rule" if by_rule else f"the {opposite} entry rule, which closes first,"
        return self._decision(bar, f"{met} is met")

    def entry(self) -> FillDetail:
        """Return the fill that opened the position."""
        return FillDetail(
            date=self._trade.entry_date,
            price=self._trade.entry_price,
            bar=_prices(self._bars, self.first),
            fees=self._entry_fee(),
            slippage=self._entry_slippage(),
        )

    def exit(self) -> FillDetail | None:
        """Return the fill that closed the position, with the rest of the trade's costs; None while it is open."""
        trade = self._trade
        if trade.exit_date is None or trade.exit_price is None:
            return None
        return FillDetail(
            date=trade.exit_date,
            price=trade.exit_price,
            bar=_prices(self._bars, self.last),
            fees=trade.fees - self._entry_fee(),
            slippage=(trade.slippage or 0.0) - self._entry_slippage(),
        )

    def levels(self) -> Iterator[tuple[str, float]]:
        """Return where stop, trailing stop and target lay in the last bar, or lie after it while it is open (S1)."""
        request = self._request
        at_fill = request.stop_base == "fill"
        base = self._trade.entry_price if at_fill else float(self._bars.close[self._decided])
        if request.stop_loss is not None:
            yield "stop", self._away(base, -self._sign, request.stop_loss)
        if request.trailing_stop is not None:
            yield "trailing stop", self._away(self._peak(base), -self._sign, request.trailing_stop)
        if request.take_profit is not None:
            yield "target", self._away(base, self._sign, request.take_profit)

    def _decision(self, bar: int, condition: str) -> Decision:
        series = {"close": self._bars.close, **self._signals.indicators}
        before = max(bar - 1, 0)
        values = {name: (_number(each[before]) if bar else None, _number(each[bar])) for name, each in series.items()}
        return Decision(instant(self._bars.time[bar]), condition, values)

    def _exits(self) -> Booleans:
        exits = self._signals.exits if self._sign > 0 else self._signals.short_exits
        return np.zeros(len(self._bars), np.bool_) if exits is None else exits

    def _entry_fee(self) -> float:
        return self._again.plan.costs.fee(self._trade.entry_price, self._trade.quantity)

    def _entry_slippage(self) -> float:
        prices = self._bars.open if self._request.fill == "next_open" else self._bars.close
        return abs(self._trade.entry_price - float(prices[self.first])) * self._trade.quantity

    def _away(self, base: float, sign: float, asked: AtrMultiple | float) -> float:
        if not isinstance(asked, AtrMultiple):
            return base * (1.0 + sign * asked)
        plan, loaded = self._again.plan, self._again.loaded
        periods = year_of(plan, loaded).periods
        conditions = conditions_of(self._bars, loaded.session, self._request, plan.costs, periods)
        return base + sign * float(conditions.distance(asked, len(self._bars))[self._decided])

    def _peak(self, base: float) -> float:
        """Return the best price of the bars held as a whole before the last one, an open trade's last one included."""
        start = self.first + (self._request.fill != "next_open")
        end = self.last + (self._trade.exit_date is None)
        best = (
            self._bars.high[start:end].max(initial=base)
            if self._sign > 0
            else self._bars.low[start:end].min(initial=base)
        )
        return float(best)


def _prices(bars: Bars, bar: int) -> tuple[float, float, float, float]:
    open_, high, low, close = (float(column[bar]) for column in bars.ohlcv[:4])
    return open_, high, low, close


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
