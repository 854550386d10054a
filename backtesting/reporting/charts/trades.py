"""How the returns of the closed trades are distributed."""

from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np

from backtesting.reporting.charts.canvas import Palette, legend, note, title
from backtesting.reporting.completed_run import CompletedRun
from backtesting.types import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BINS = 40
FEWEST_FOR_BINS = 2
NARROWEST_BIN = 1e-6


def draw_trades(figure: "Figure", completed: CompletedRun, palette: Palette) -> None:
    """Draw a histogram whose bins end at zero, wins and losses apart."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - with matplotlib

    returns = np.array([trade.pnl_percent for trade in completed.trades if trade.exit_date is not None])
    axes = figure.subplots()
    title(figure, axes, "Returns of trades", completed)
    axes.set_xlabel("profit per trade after costs, % of the money put in")
    axes.set_ylabel("closed trades")
    still_open = len(completed.trades) - len(returns)
    if not len(returns):
        note(axes, "no closed trades" + (f", {still_open} still open" if still_open else ""))
        return
    _histogram(axes, returns, palette)
    axes.axvline(0, color=palette.text, linewidth=0.8)
    mean = float(returns.mean())
    axes.axvline(mean, color=palette.text, linewidth=1.5, linestyle="--", label=f"mean {mean:+.2f}%")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}%")
    axes.plot([], [], " ", label=f"{still_open} still open, left out") if still_open else None
    legend(figure, columns=4)


def _histogram(axes: "Axes", returns: Floats, palette: Palette) -> None:
    bins = edges(returns)
    for name, chosen, colour in (
        ("lost", returns[returns <= 0], palette.loss),
        ("won", returns[returns > 0], palette.gain),
    ):
        label = f"{name} {len(chosen)}" + (f", mean {chosen.mean():+.2f}%" if len(chosen) else "")
        axes.hist(chosen, bins=bins.tolist(), color=colour, edgecolor=palette.background, label=label)


def edges(returns: Floats) -> Floats:
    """Return the edges of at most about forty bins of equal width, one of them at zero (Freedman and Diaconis 1981)."""
    least, greatest = min(float(returns.min()), 0.0), max(float(returns.max()), 0.0)
    wanted = len(np.histogram_bin_edges(returns, "fd")) - 1 if len(returns) > FEWEST_FOR_BINS else 1
    width = max((greatest - least) / min(max(wanted, 8), MOST_BINS), NARROWEST_BIN)
    numbers: Floats = np.arange(
        floor(least / width), max(ceil(greatest / width), floor(least / width) + 1) + 1, dtype=float
    )
    return width * numbers
