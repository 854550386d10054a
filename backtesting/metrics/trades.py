"""What the closed trades were like; the `_incl_open` variants value open trades at the last close."""

from math import sqrt

import numpy as np

from backtesting.metrics.evidence import Evidence, needs_trades
from backtesting.metrics.undefined import Undefined, Value, mean, ratio, standard_deviation
from backtesting.types import NS_PER_DAY, Floats


def total_trades(evidence: Evidence) -> Value:
    """Closed trades."""
    return len(evidence.pnl)


def winning_trades(evidence: Evidence) -> Value:
    """Closed trades with profit > 0 after costs."""
    return len(evidence.wins)


def losing_trades(evidence: Evidence) -> Value:
    """Closed trades with profit < 0 after costs."""
    return len(evidence.defeats)


def open_trades(evidence: Evidence) -> Value:
    """Trades not closed at the end."""
    return int(np.count_nonzero(evidence.simulation.trades.is_open))


def win_rate(evidence: Evidence) -> Value:
    """Winning / closed trades."""
    return ratio(len(evidence.wins), len(evidence.pnl), Undefined.NO_TRADES)


def profit_factor(evidence: Evidence) -> Value:
    """Sum of winning / |sum of losing| trades' profits, in money."""
    return _profit_factor(evidence.pnl, evidence.wins, evidence.defeats)


@needs_trades
def avg_win(evidence: Evidence) -> Value:
    """Mean profit of winning trades."""
    return mean(evidence.wins) if len(evidence.wins) else Undefined.NO_WINNING_TRADES


@needs_trades
def avg_loss(evidence: Evidence) -> Value:
    """Mean profit of losing trades, a negative number."""
    return mean(evidence.defeats) if len(evidence.defeats) else Undefined.NO_LOSING_TRADES


def payoff_ratio(evidence: Evidence) -> Value:
    """Average win / |average loss|."""
    loss = avg_loss(evidence)
    return loss if isinstance(loss, Undefined) else ratio(avg_win(evidence), -loss, Undefined.NO_LOSING_TRADES)


@needs_trades
def expectancy(evidence: Evidence) -> Value:
    """Mean profit of a closed trade, in money."""
    return mean(evidence.pnl)


@needs_trades
def avg_trade_return(evidence: Evidence) -> Value:
    """Mean of profit / (entry price x quantity)."""
    return mean(evidence.trade_returns)


@needs_trades
def best_trade(evidence: Evidence) -> Value:
    """Largest trade return."""
    return float(np.maximum.reduce(evidence.trade_returns))


@needs_trades
def worst_trade(evidence: Evidence) -> Value:
    """Smallest trade return."""
    return float(np.minimum.reduce(evidence.trade_returns))


@needs_trades
def max_consecutive_losses(evidence: Evidence) -> Value:
    """Longest run of losing trades."""
    others = np.concatenate([[-1], np.flatnonzero(evidence.pnl >= 0), [len(evidence.pnl)]])
    return int(np.maximum.reduce(others[1:] - others[:-1])) - 1


@needs_trades
def avg_holding_bars(evidence: Evidence) -> Value:
    """Mean number of bars from entry to exit."""
    trades = evidence.simulation.trades
    return mean((trades.exit_bar - trades.entry_bar)[evidence.closed])


@needs_trades
def avg_holding_days(evidence: Evidence) -> Value:
    """Mean calendar days from entry to exit."""
    trades = evidence.simulation.trades
    return mean((trades.exit_time - trades.entry_time)[evidence.closed]) / NS_PER_DAY


@needs_trades
def avg_mae(evidence: Evidence) -> Value:
    """Mean of each closed trade's worst price excursion / entry price, <= 0 (Sweeney 1997)."""
    return mean(evidence.simulation.trades.mae[evidence.closed])


@needs_trades
def avg_mfe(evidence: Evidence) -> Value:
    """Mean of each closed trade's best price excursion / entry price, >= 0 (Sweeney 1997)."""
    return mean(evidence.simulation.trades.mfe[evidence.closed])


@needs_trades
def sqn(evidence: Evidence) -> Value:
    """sqrt(N) x mean / s of the trades' profits: system quality number (Tharp 2008)."""
    total = sqrt(len(evidence.pnl)) * mean(evidence.pnl)
    return ratio(total, standard_deviation(evidence.pnl, evidence.pnl), Undefined.ZERO_VARIANCE)


def kelly(evidence: Evidence) -> Value:
    """W - (1 - W) / payoff ratio, W the win rate (Kelly 1956)."""
    payoff = payoff_ratio(evidence)
    if isinstance(payoff, Undefined):
        return payoff
    won = len(evidence.wins) / len(evidence.pnl)
    return won - (1.0 - won) / payoff


def win_rate_incl_open(evidence: Evidence) -> Value:
    """Winning / all trades, open ones valued at the last close."""
    pnl = evidence.simulation.trades.pnl
    return ratio(int(np.count_nonzero(pnl > 0)), len(pnl), Undefined.NO_TRADES)


def profit_factor_incl_open(evidence: Evidence) -> Value:
    """Profit factor of all trades, open ones valued at the last close."""
    pnl = evidence.simulation.trades.pnl
    return _profit_factor(pnl, pnl[pnl > 0], pnl[pnl < 0])


def _profit_factor(pnl: Floats, wins: Floats, losses: Floats) -> Value:
    if not len(pnl):
        return Undefined.NO_TRADES
    return ratio(float(np.add.reduce(wins)), -float(np.add.reduce(losses)), Undefined.NO_LOSING_TRADES)
