"""The course of a run in plain text: its months and years, and its worst drawdowns."""

from collections.abc import Mapping, Sequence

from backtesting.metrics.growth import Drawdown, RollingSharpe, Year
from backtesting.reporting.text import table

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
PLAIN_DAY = "%Y-%m-%d"


def year_lines(years: Sequence[Year], held: Mapping[int, float]) -> list[str]:
    """Return a table of returns in percent: a row a year, its months, its total, and that of buy and hold."""
    rows = [[str(each.year), *map(_percent, each.months), *map(_percent, totals(each, held))] for each in years]
    return table([["percent", *MONTHS, "year", "buy and hold"], *rows])


def totals(year: Year, held: Mapping[int, float]) -> tuple[float, float | None]:
    """Return the year's return and that of buy and hold, None where it is not known."""
    return year.total, held.get(year.year)


def rolling_line(rolling: RollingSharpe | None) -> str:
    """Return how the Sharpe ratio of a year moved."""
    if rolling is None:
        return "Sharpe ratio of a rolling year: none (no year that moves)"
    return (
        f"Sharpe ratio of a rolling year of {rolling.sessions} sessions: {rolling.lowest:.2f} to {rolling.highest:.2f}"
        f", median {rolling.median:.2f}, last {rolling.last:.2f}, positive in {rolling.positive:.0%}"
    )


def drawdown_lines(drawdowns: Sequence[Drawdown]) -> list[str]:
    """Return a table of drawdowns: from the peak over the deepest bar to the recovery."""
    rows = [
        [
            f"{each.depth:.2%}",
            *(f"{day:{PLAIN_DAY}}" for day in (each.start, each.trough)),
            f"{each.recovery:{PLAIN_DAY}}" if each.recovery else "not yet",
            f"{each.days:,.0f}",
        ]
        for each in drawdowns
    ]
    return table([["depth", "peak", "trough", "recovery", "days"], *rows]) if rows else ["no drawdown"]


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.1f}"
