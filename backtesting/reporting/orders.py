"""How a request's orders are sized and protected, in words."""

from collections.abc import Iterator

from backtesting.types import (
    AtrMultiple,
    BacktestRequest,
    CappedKelly,
    Costs,
    FixedCash,
    FixedUnits,
    PercentEquity,
    RiskPerTrade,
    VolTarget,
)

SIDES = {"short": "short only", "both": "long and short"}


def size(request: BacktestRequest) -> str:
    """Return how large an entry is."""
    position_size = request.parameters.get("position_size", 1.0)
    match request.sizing or PercentEquity(method="percent_equity", fraction=position_size):
        case FixedCash(amount=amount):
            return f"{amount:,g} of money per entry"
        case FixedUnits(units=units):
            return f"{units:,g} units per entry"
        case VolTarget(target=target):
            return f"sized to a volatility of {target:.4g} a year"
        case RiskPerTrade(fraction=fraction):
            return f"{100 * fraction:g}% of equity at risk per entry"
        case CappedKelly(fraction=fraction, cap=cap):
            return f"{fraction:g} x Kelly, at most {100 * cap:g}% of equity per entry"
        case PercentEquity(fraction=fraction):
            return f"{100 * fraction:g}% of equity per entry"


def extras(request: BacktestRequest) -> Iterator[str]:
    """Return what else was asked for, each in a few words."""
    if request.direction in SIDES:
        yield SIDES[request.direction]
    protections = {"stop": request.stop_loss, "target": request.take_profit, "trailing stop": request.trailing_stop}
    yield from (f"{name} {distance(asked)}" for name, asked in protections.items() if asked is not None)
    if request.max_holding:
        yield f"at most {request.max_holding} bars"
    if request.delay_bars > 1:
        yield f"{request.delay_bars} bars after the decision"
    if request.close_at_end:
        yield "closed at the end"


def distance(asked: AtrMultiple | float) -> str:
    """Return a distance as a percentage or in ATRs."""
    return f"{asked.atr:g} x ATR({asked.period})" if isinstance(asked, AtrMultiple) else f"{100 * asked:g}%"


def rates(costs: Costs) -> str:
    """Return what a fill costs, in rates (C4)."""
    amounts = ("per_unit", "fixed", "min_fee", "half_spread", "participation")
    more = [f", {name} {getattr(costs, name):g}" for name in amounts if getattr(costs, name)]
    if costs.slippage_atr:
        more.append(f", slippage {distance(costs.slippage_atr)}")
    return f"commission {costs.commission:.4%}, slippage {costs.slippage:.4%}{''.join(more)} per fill"
