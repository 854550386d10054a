"""Trades decisions by our own kernel: stops, shorts, lots and costs that vectorbt cannot express.

Importing this module costs what importing numba costs, so only a request that needs it does.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backtesting.conditions import Conditions
from backtesting.decisions import Decisions, Terms
from backtesting.stop_kernel import RULES, Account, Market, Orders, trade
from backtesting.stop_kernel.layout import (
    CASH,
    ENTER_LONG,
    ENTER_SHORT,
    EXIT_LONG,
    EXIT_SHORT,
    FRACTION,
    KELLY,
    UNITS,
    UNITS_OF_EQUITY,
)
from backtesting.types import (
    NS_PER_DAY,
    AtrMultiple,
    Bars,
    CappedKelly,
    Costs,
    FixedCash,
    FixedUnits,
    Floats,
    OrderOptions,
    PercentEquity,
    RiskPerTrade,
    VolTarget,
)

DAYS_OF_BORROW = 365
FREE = Costs(commission=0.0, slippage=0.0, borrow=0.0)
WHOLE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Accounts:
    """The strategy's account, that of buy and hold, and the strategy's without costs and at its most optimistic."""

    strategy: Account
    benchmark: Account
    costless: Account
    optimistic: Account


def trade_orders(bars: Bars, decisions: Decisions, terms: Terms, conditions: Conditions) -> Accounts:
    """Trade the decisions over the period, buy and hold beside them at the same costs from the same bar (A6)."""
    market, free = (_market(bars, costs, terms, conditions) for costs in (terms.costs, FREE))
    orders, rules = _orders(bars, decisions, terms, conditions), rules_of(terms, terms.costs, terms.options)
    strategy = trade(market, orders, rules)
    optimistic = strategy
    if strategy.state["ambiguous"] and terms.options.intrabar == "pessimistic":
        hopeful = terms.options.model_copy(update={"intrabar": "optimistic"})
        optimistic = trade(market, orders, rules_of(terms, terms.costs, hopeful))
    return Accounts(
        strategy=strategy,
        benchmark=trade(market, _hold(orders, terms), rules_of(terms, terms.costs, OrderOptions())),
        costless=trade(free, orders, rules_of(terms, FREE, terms.options)),
        optimistic=optimistic,
    )


def rules_of(terms: Terms, costs: Costs, options: OrderOptions) -> Any:
    """Return the kernel's record of everything that is the same for all bars."""
    rules = np.zeros(1, RULES)
    values = {
        "initial_cash": terms.initial_capital,
        "at_close": terms.fill != "next_open",
        "delay": terms.delay,
        **{name: getattr(costs, name) for name in ("commission", "slippage", "per_unit", "fixed", "min_fee")},
        "participation": costs.participation,
        "borrow": costs.borrow or 0.0,
        **_sizing(options),
        "lot_size": options.lot_size,
        "lots_a_unit": _lots_a_unit(options.lot_size),
        "min_notional": options.min_notional,
        "leverage": options.max_leverage,
        "stop_is_fraction": not isinstance(options.stop_loss, AtrMultiple),
        "target_is_fraction": not isinstance(options.take_profit, AtrMultiple),
        "trail_is_fraction": not isinstance(options.trailing_stop, AtrMultiple),
        "base_is_fill": options.stop_base == "fill",
        "optimistic": options.intrabar == "optimistic",
        "limit_touch": options.limit_touch,
        "max_holding": options.max_holding or 0,
        "close_at_end": options.close_at_end,
    }
    for name, value in values.items():
        rules[name] = value
    return rules[0]


def _sizing(options: OrderOptions) -> dict[str, Any]:
    match options.sizing:
        case FixedCash(amount=amount):
            return {"sizing": CASH, "amount": amount}
        case FixedUnits(units=units):
            return {"sizing": UNITS, "amount": units}
        case RiskPerTrade() if isinstance(options.stop_loss or options.trailing_stop, AtrMultiple):
            return {"sizing": UNITS_OF_EQUITY}
        case CappedKelly(fraction=fraction, cap=cap, min_trades=trades):
            return {"sizing": KELLY, "kelly_fraction": fraction, "kelly_cap": cap, "kelly_trades": trades}
    return {"sizing": FRACTION}


def _lots_a_unit(lot_size: float) -> float:
    """Return how many lots make up a unit where that is a whole number, else 0: 3 / 10 is 0.3, 3 x 0.1 is not."""
    count = round(1 / lot_size) if 0 < lot_size < 1 else 0
    return count if abs(count * lot_size - 1) < WHOLE else 0.0


def _scale(terms: Terms, conditions: Conditions, count: int) -> Floats:
    """Return at each deciding bar the fraction, or the quantity, of equity that an entry trades (Q2)."""
    options = terms.options
    match options.sizing:
        case PercentEquity(fraction=fraction):
            return np.full(count, fraction)
        case VolTarget(target=target):
            with np.errstate(divide="ignore"):
                return np.minimum(options.max_leverage, target / conditions.volatility)
        case RiskPerTrade(fraction=fraction):
            with np.errstate(divide="ignore"):
                return fraction / conditions.distance(options.stop_loss or options.trailing_stop, count)
    return np.full(count, terms.position_size)


def _orders(bars: Bars, decisions: Decisions, terms: Terms, conditions: Conditions) -> Orders:
    """Return what was decided, at the bars of the fills."""
    wanted = np.zeros(len(bars), np.uint8)
    for bit, decided in (
        (EXIT_LONG, decisions.exit_long),
        (EXIT_SHORT, decisions.exit_short),
        (ENTER_LONG, decisions.enter_long),
        (ENTER_SHORT, decisions.enter_short),
    ):
        wanted[decided] |= bit
    options = terms.options
    distances = (options.stop_loss, options.take_profit, options.trailing_stop)
    series = (_scale(terms, conditions, len(bars)), bars.close, *(conditions.distance(d, len(bars)) for d in distances))
    unknown = np.float64(np.nan)
    return Orders(terms.due(wanted, np.uint8(0)).copy(), *(terms.due(each, unknown).copy() for each in series))


def _hold(orders: Orders, terms: Terms) -> Orders:
    """Return the one entry of buy and hold, at the first bar that can fill."""
    wanted, none = np.zeros_like(orders.wanted), np.full(len(orders.wanted), np.nan)
    wanted[terms.first_decision + terms.delay - terms.history] = ENTER_LONG
    return Orders(wanted, np.ones(len(wanted)), orders.decided_close, none, none, none)


def _market(bars: Bars, costs: Costs, terms: Terms, conditions: Conditions) -> Market:
    """Return the period's bars with what a spread adds to a price; the ATR of the bar before is the last one known."""
    spread = np.full(len(bars), costs.half_spread)
    if costs.slippage_atr:
        distance = conditions.distance(costs.slippage_atr, len(bars))
        before = np.concatenate([distance[:1], distance[:-1]])
        spread += np.nan_to_num(np.where(np.isnan(before), distance, before))
    period = bars[terms.history :]
    years = np.diff(period.time, prepend=period.time[0]) / (NS_PER_DAY * DAYS_OF_BORROW)
    return Market(*period.ohlcv, spread[terms.history :].copy(), years)
