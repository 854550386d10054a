"""The return of every month, and of every year beside it."""

from typing import TYPE_CHECKING

import numpy as np

from backtesting.metrics.growth import years_of
from backtesting.reporting.charts.canvas import DPI, HEIGHT, Palette, title
from backtesting.reporting.completed_run import CompletedRun
from backtesting.types import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MONTHS_A_YEAR, MOST_YEARS = 12, 40
ROW, MARGIN = 24, 130  # pixels
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NARROWEST_SCALE = 0.01
FEW_YEARS, LOW = 6, 280
LONG = 1000  # percent


def draw_monthly(figure: "Figure", completed: CompletedRun, palette: Palette) -> None:
    """Draw a table of colours with the numbers in it; only the last forty years where there are more."""
    years, table = monthly_table(completed)
    figure.set_figheight(max(HEIGHT if len(years) > FEW_YEARS else LOW, ROW * len(years) + MARGIN) / DPI)
    axes = figure.subplots()
    title(figure, axes, "Return by month", completed)
    _cells(figure, axes, table, palette)
    axes.axvline(MONTHS_A_YEAR - 0.5, color=palette.background, linewidth=5)
    axes.set_xticks(range(MONTHS_A_YEAR + 1), [*MONTHS, "year"])
    axes.set_yticks(range(len(years)), [str(year) for year in years])
    axes.tick_params(length=0)
    axes.set_xlabel("month (UTC)")
    axes.set_ylabel("year")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def monthly_table(completed: CompletedRun) -> tuple[list[int], Floats]:
    """Return the years and an array of (years, 13) returns: twelve months, then the year; NaN outside the run."""
    told = years_of(completed.growth)
    years = list(range(told[0].year, told[-1].year + 1))[-MOST_YEARS:]
    table = np.full((len(years), MONTHS_A_YEAR + 1), np.nan)
    for each in told:
        if each.year >= years[0]:
            table[each.year - years[0]] = np.array([*each.months, each.total], dtype=float)  # None becomes NaN
    return years, table


def _cells(figure: "Figure", axes: "Axes", table: Floats, palette: Palette) -> None:
    from matplotlib.colors import LinearSegmentedColormap  # noqa: PLC0415 - with matplotlib

    known = np.abs(table[:, :MONTHS_A_YEAR][np.isfinite(table[:, :MONTHS_A_YEAR])])
    scale = max(float(np.quantile(known, 0.95)), NARROWEST_SCALE)
    colours = LinearSegmentedColormap.from_list("returns", [palette.loss, palette.background, palette.gain])
    # colours stop short of the full tone, so that the numbers stay legible on them
    image = axes.imshow(table, cmap=colours, vmin=-scale * 1.5, vmax=scale * 1.5, aspect="auto")
    for (row, column), change in np.ndenumerate(table):
        if np.isfinite(change):
            shown = np.clip(change, -scale, scale)
            axes.text(column, row, _percent(change), ha="center", va="center", fontsize=8.5, color=palette.text)
            table[row, column] = shown
    image.set_data(table)
    bar = figure.colorbar(image, ax=axes, label="return (%)", pad=0.01, aspect=30)
    bar.ax.set_ylim(-scale, scale)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}")
    bar.outline.set_visible(False)


def _percent(change: float) -> str:
    """Return the change in percent, short enough for its cell."""
    percent = round(100 * change, 1) + 0.0  # and no minus before a zero
    return f"{percent:.1f}" if abs(percent) < LONG else f"{percent:,.0f}"
