"""What a good reviewer would say of a run: at most five points, the gravest first, each with what to do about it.

Flags (`flags.py`) are facts, all of them told; diagnostics are judgements built upon them and upon the metrics.
"""

from collections.abc import Iterable

from backtesting.diagnostics.case import Case, Rule, judged
from backtesting.diagnostics.edge import (
    benchmark_not_beaten,
    concentrated_profit,
    costs_decide,
    long_idle,
    never_traded,
    only_time_in_the_market,
    uncertain_sharpe,
)
from backtesting.flags import Findings
from backtesting.types import Diagnostic, Flag, Weight

__all__ = ["DIAGNOSTICS", "LARGEST_NUMBER", "diagnose", "ranked"]

LARGEST_NUMBER = 5
RANKS = tuple(Weight)
# Of equal weight, the earlier one is told first.
DIAGNOSTICS: tuple[Rule, ...] = (
    never_traded,
    judged("bankrupt", Weight.FATAL, "risk less of the equity per trade"),
    judged("unadjusted_split_suspected", Weight.FATAL, "run it on adjusted prices, or import a file that has them"),
    judged("optimistic_fill", Weight.SERIOUS, "run it again with fill='next_open'"),
    judged("zero_costs", Weight.SERIOUS, "run it again with the costs you would pay"),
    judged("too_good", Weight.SERIOUS, "look for look-ahead and for bad prices before anything else"),
    judged("weekend_bars", Weight.SERIOUS, "say what it is with `main.py assets edit`, --class crypto for a coin"),
    judged("few_trades", Weight.SERIOUS, "test a longer period, or the same parameters on other symbols"),
    judged("few_sessions", Weight.SERIOUS, "test a longer period"),
    judged("open_profit", Weight.SERIOUS, "judge by the closed trades, or end the period where nothing is held"),
    only_time_in_the_market,
    costs_decide,
    uncertain_sharpe,
    concentrated_profit,
    benchmark_not_beaten,
    long_idle,
    judged("data_quality", Weight.MINOR, "look at these bars, or import a better file"),
    judged("missing_bars", Weight.MINOR, "import what is missing, or test a period without gaps"),
    judged("unfilled_orders", Weight.MINOR, "raise initial_capital or position_size"),
    judged("zero_volume_fills", Weight.MINOR, "check these bars, or use a longer timeframe"),
    judged("costs_assumed", Weight.MINOR, "name the costs"),
)


def diagnose(found: Findings, flags: tuple[Flag, ...]) -> tuple[Diagnostic, ...]:
    """Return at most five diagnostics, the gravest first."""
    case = Case(found, flags)
    return ranked(diagnostic for rule in DIAGNOSTICS if (diagnostic := rule(case)))


def ranked(told: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return the gravest five; of equal weight, the earlier ones."""
    return tuple(sorted(told, key=lambda each: RANKS.index(each.weight))[:LARGEST_NUMBER])
