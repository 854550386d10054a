"""What the closed trades were like; the `_incl_open` variants value open trades at the last close."""

from math import sqrt

import numpy as np

from backtesting.metrics.evidence import Evidence, needs_trades
from backtesting.metrics.undefined import Undefined, Value, ratio, standard_deviation
from backtesting.types import NS_PER_DAY, Floats


def total_trades(evidence: Evidence) -> Value:
    """Closed trades."""
    return len(evidence.pnl)


def winning_trades(evidence: Evidence) -> Value:
    """Closed trades with profit > 0 after costs."""
    return int(np.count_nonzero(evidence.pnl > 0))


def losing_trades(evidence: Evidence) -> Value:
    """Closed trades with profit < 0 after costs."""
    return int(np.count_nonzero(evidence.pnl < 0))


def open_trades(evidence: Evidence) -> Value:
    """Trades not closed at the end."""
    return int(np.count_nonzero(evidence.simulation.trades.is_open))


def win_rate(evidence: Evidence) -> Value:
    """Winning / closed trades."""
    return _win_rate(evidence.pnl)


def profit_factor(evidence: Evidence) -> Value:
    """Sum of winning / |sum of losing| trades' profits, in money."""
    return _profit_factor(evidence.pnl)


@needs_trades
def avg_win(evidence: Evidence) -> Value:
    """Mean profit of winning trades."""
    wins = evidence.pnl[evidence.pnl > 0]
    return float(wins.mean()) if len(wins) else Undefined.NO_WINNING_TRADES


@needs_trades
def avg_loss(evidence: Evidence) -> Value:
    """Mean profit of losing trades, a negative number."""
    losses = evidence.pnl[evidence.pnl < 0]
    return float(losses.mean()) if len(losses) else Undefined.NO_LOSING_TRADES


def payoff_ratio(evidence: Evidence) -> Value:
    """Average win / |average loss|."""
    loss = avg_loss(evidence)
    return loss if isinstance(loss, Undefined) else ratio(avg_win(evidence), -loss, Undefined.NO_LOSING_TRADES)


@needs_trades
def expectancy(evidence: Evidence) -> Value:
    """Mean profit of a closed trade, in money."""
    return float(evidence.pnl.mean())


@needs_trades
def avg_trade_return(evidence: Evidence) -> Value:
    """Mean of profit / (entry price x quantity)."""
    return float(evidence.trade_returns.mean())


@needs_trades
def best_trade(evidence: Evidence) -> Value:
    """Largest trade return."""
    return float(evidence.trade_returns.max())


@needs_trades
def worst_trade(evidence: Evidence) -> Value:
    """Smallest trade return."""
    return float(evidence.trade_returns.min())


@needs_trades
def max_consecutive_losses(evidence: Evidence) -> Value:
    """Longest run of losing trades."""
    others = np.flatnonzero(evidence.pnl >= 0)
    return int(np.diff(others, prepend=-1, append=len(evidence.pnl)).max()) - 1


@needs_trades
def avg_holding_bars(evidence: Evidence) -> Value:
    """Mean number of bars from entry to exit."""
    trades = evidence.simulation.trades
    return float((trades.exit_bar - trades.entry_bar)[evidence.closed].mean())


@needs_trades
def avg_holding_days(evidence: Evidence) -> Value:
    """Mean calendar days from entry to exit."""
    trades = evidence.simulation.trades
    return float((trades.exit_time - trades.entry_time)[evidence.closed].mean()) / NS_PER_DAY


@needs_trades
def avg_mae(evidence: Evidence) -> Value:
    """Mean of each closed trade's worst price excursion / entry price, <= 0 (Sweeney 1997)."""
    return float(evidence.simulation.trades.mae[evidence.closed].mean())


@needs_trades
def avg_mfe(evidence: Evidence) -> Value:
    """Mean of each closed trade's best price excursion / entry price, >= 0 (Sweeney 1997)."""
    return float(evidence.simulation.trades.mfe[evidence.closed].mean())


@needs_trades
def sqn(evidence: Evidence) -> Value:
    """sqrt(N) x mean / s of the trades' profits: system quality number (Tharp 2008)."""
    total = sqrt(len(evidence.pnl)) * float(evidence.pnl.mean())
    return ratio(total, standard_deviation(evidence.pnl, evidence.pnl), Undefined.ZERO_VARIANCE)


def kelly(evidence: Evidence) -> Value:
    """W - (1 - W) / payoff ratio, W the win rate (Kelly 1956)."""
    payoff = payoff_ratio(evidence)
    if isinstance(payoff, Undefined):
        return payoff
    won = int(np.count_nonzero(evidence.pnl > 0)) / len(evidence.pnl)
    return won - (1.0 - won) / payoff


def win_rate_incl_open(evidence: Evidence) -> Value:
    """Winning / all trades, open ones valued at the last close."""
    return _win_rate(evidence.simulation.trades.pnl)


def profit_factor_incl_open(evidence: Evidence) -> Value:
    """Profit factor of all trades, open ones valued at the last close."""
    return _profit_factor(evidence.simulation.trades.pnl)


def _win_rate(pnl: Floats) -> Value:
    return ratio(int(np.count_nonzero(pnl > 0)), len(pnl), Undefined.NO_TRADES)


def _profit_factor(pnl: Floats) -> Value:
    if not len(pnl):
        return Undefined.NO_TRADES
    won, lost = float(pnl[pnl > 0].sum()), float(pnl[pnl < 0].sum())
    return ratio(won, -lost, Undefined.NO_LOSING_TRADES)
