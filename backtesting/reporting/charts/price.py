"""The price with the fills of the trades on it."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from backtesting.errors import BacktestError
from backtesting.reporting.charts.canvas import Palette, date_axis, instants, legend, line, money_axis, title
from backtesting.reporting.completed_run import CompletedRun
from backtesting.types import EquityCurve, Trade, nanoseconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# the size of a mark in points, for up to so many marks
SIZES = ((60, 8.0), (150, 5.5))
SMALLEST = 3.5

Fill = tuple[datetime, float]


def draw_price(figure: "Figure", completed: CompletedRun, palette: Palette) -> None:
    """Draw closes, and each fill at its price."""
    if completed.bars is None:
        raise BacktestError("a picture of the price needs the bars of the run")
    axes = figure.subplots()
    title(figure, axes, "Price and fills", completed)
    line(axes, EquityCurve(completed.bars.time, completed.bars.close), color=palette.benchmark, label="close")
    buys, sells = fills(completed.trades)
    _marks(axes, buys, "^", "buy", (palette.gain, palette.background))
    _marks(axes, sells, "v", "sell", (palette.loss, palette.background))

    money_axis(axes, f"{completed.run.request.adjustment} price ({completed.asset.currency})", completed.bars.close)
    date_axis(axes, completed.bars.time, daily=completed.is_daily)
    legend(figure)


def fills(trades: Sequence[Trade]) -> tuple[list[Fill], list[Fill]]:
    """Return when and at what price was bought, and sold: a short position is entered by selling."""
    buys: list[Fill] = []
    sells: list[Fill] = []
    for trade in trades:
        first, second = (sells, buys) if trade.direction == "short" else (buys, sells)
        first.append((trade.entry_date, trade.entry_price))
        if trade.exit_date is not None and trade.exit_price is not None:
            second.append((trade.exit_date, trade.exit_price))
    return buys, sells


def _marks(axes: "Axes", made: Sequence[Fill], marker: str, name: str, colours: tuple[str, str]) -> None:
    inside, edge = colours
    size = next((size for most, size in SIZES if len(made) <= most), SMALLEST)
    axes.plot(
        instants(np.array([nanoseconds(time) for time, _ in made], dtype=np.int64)),
        [price for _, price in made],
        linestyle="",
        marker=marker,
        markersize=size,
        color=inside,
        markeredgecolor=edge,
        markeredgewidth=0.6,
        label=f"{name} ({len(made)})",
    )
