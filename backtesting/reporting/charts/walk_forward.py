"""A walk-forward: what the tests made one after the other, and each window's Sharpe ratio in training and after it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from textwrap import shorten, wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from backtesting.reporting.charts.canvas import (
    LONGEST_LINE,
    LONGEST_TITLE,
    Palette,
    date_axis,
    instants,
    legend,
    line,
    money_axis,
)
from backtesting.reporting.walk_forward import headline
from backtesting.types import NS_PER_DAY, EquityCurve, Floats, Integers, Job, nanoseconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST_REACH = 1.0
GAP, WIDTH = 0.1, 0.4  # of a window


def draw_walk_forward(figure: "Figure", job: Job, palette: Palette) -> None:
    """Draw money above, every second window shaded; below the Sharpe ratio before and after each choice."""
    result: Mapping[str, Any] = job.result or {}
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 2))
    _title(figure, upper, job)
    curves = {name: _curve(result["picture"][name]) for name in ("equity", "benchmark")}
    capital = float(job.request["request"]["initial_capital"])
    for name, label, colour in (
        ("equity", "out of sample", palette.strategy),
        ("benchmark", "buy and hold", palette.benchmark),
    ):
        made = float(curves[name].value[-1]) / capital - 1
        line(upper, curves[name], color=colour, label=f"{label} ({made:+.1%})", zorder=3 - (name == "benchmark"))
    edges = _edges(result["windows"])
    for axes in (upper, lower):
        _shade(axes, edges, palette)
    _sharpes(lower, edges, result["windows"], palette)
    money_axis(upper, "equity", np.concatenate([[capital], *(curve.value for curve in curves.values())]))
    date_axis(lower, curves["equity"].time, daily=True)
    figure.align_ylabels()
    legend(figure, columns=4)


def _title(figure: "Figure", axes: "Axes", job: Job) -> None:
    what, _, when = headline(job).partition(", ")
    figure.suptitle(shorten(f"Walk-forward: {what}", LONGEST_TITLE, placeholder=" ..."), x=0.012, ha="left")
    believed = wrap((job.result or {})["sentence"], LONGEST_LINE)
    axes.set_title("\n".join([f"{when}, after costs, each window starts flat, {job.id}", *believed]))


def _curve(points: Sequence[Sequence[float]]) -> EquityCurve:
    days, money = (np.array(each, np.float64) for each in points)
    return EquityCurve(np.round(days * NS_PER_DAY).astype(np.int64), money)


def _edges(windows: Sequence[Mapping[str, Any]]) -> Integers:
    """Return where each test begins, and where the last one ends."""
    days = [*(row["test"][0] for row in windows), windows[-1]["test"][1]]
    return np.array([nanoseconds(datetime.fromisoformat(day).replace(tzinfo=UTC)) for day in days], np.int64)


def _shade(axes: "Axes", edges: Integers, palette: Palette) -> None:
    for first, behind in zip(instants(edges)[:-1:2], instants(edges)[1::2], strict=False):
        axes.axvspan(first, behind, color=palette.grid, alpha=0.35, linewidth=0, zorder=0)


def _sharpes(axes: "Axes", edges: Integers, windows: Sequence[Mapping[str, Any]], palette: Palette) -> None:
    """Draw two bars a window; what is undefined has none."""
    lengths = np.diff(edges)
    for place, (key, label, colour) in enumerate(
        (("train_sharpe", "in training", palette.benchmark), ("test_sharpe", "in the test", palette.strategy))
    ):
        heights: Floats = np.array([row[key] for row in windows], np.float64)  # None becomes NaN
        lefts = edges[:-1] + ((GAP + place * WIDTH) * lengths).astype(np.int64)
        widths = (WIDTH * lengths).astype("timedelta64[ns]")
        axes.bar(instants(lefts), heights, widths, align="edge", color=colour, label=label)
    axes.axhline(0, color=palette.text, linewidth=0.8)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -LEAST_REACH), max(high, LEAST_REACH))
    axes.set_ylabel("Sharpe ratio")
