"""What all pictures share: size, colours of the theme, axes of dates and money, and a small PNG at the end."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from math import floor, log10
from textwrap import shorten, wrap
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from backtesting.diagnostics.verdict import verdict
from backtesting.reporting.completed_run import CompletedRun
from backtesting.reporting.curve import extremes
from backtesting.types import EquityCurve, Floats, Integers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Theme = Literal["light", "dark"]
Instants = NDArray[np.datetime64]

WIDTH, HEIGHT, DPI = 800, 480, 100
COLOURS = 64
POINTS = 1600  # the least and the greatest of each column of pixels
LONGEST_TITLE, LONGEST_LINE = 78, 100
FEW_POINTS = 6
LOG_FROM = 8.0
LEAST_MONEY = 1e-9
DAY, HALF_DAY = np.timedelta64(1, "D"), np.timedelta64(12, "h")
# Matplotlib keeps the style and its fonts in module state.
DRAWING = Lock()


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a theme."""

    background: str
    text: str
    grid: str
    strategy: str
    benchmark: str
    gain: str
    loss: str
    tints: tuple[str, ...]


PALETTES: Mapping[Theme, Palette] = {
    "light": Palette(
        "#ffffff", "#1f2328", "#d8dee4", "#0969da", "#8a6100", "#1a7f37", "#cf222e",
        ("#cf222e", "#bc4c00", "#8250df", "#0969da", "#1a7f37"),
    ),
    "dark": Palette(
        "#14181d", "#e6edf3", "#343b44", "#58a6ff", "#e3b341", "#3fb950", "#f85149",
        ("#f85149", "#f0883e", "#bc8cff", "#58a6ff", "#3fb950"),
    ),
}  # fmt: skip


@contextmanager
def drawing(palette: Palette, height: int = HEIGHT) -> Iterator["Figure"]:
    """Give a figure in the palette's colours; one thread draws at a time."""
    import matplotlib as mpl  # noqa: PLC0415 - 1.6 s, and only pictures need it
    from matplotlib.figure import Figure  # noqa: PLC0415

    with DRAWING, mpl.rc_context(_style(palette)):  # type: ignore[arg-type]  # its keys are a type of hundreds of names
        yield Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI, layout="constrained")


def png(figure: "Figure") -> bytes:
    """Return the picture with few colours: a third of the bytes, and nobody sees the difference."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - with matplotlib
    from PIL import Image  # noqa: PLC0415

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB")
    buffer = BytesIO()
    picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def title(figure: "Figure", axes: "Axes", what: str, completed: CompletedRun) -> None:
    """Say what is shown, of which run, over which days, and whether to believe it."""
    figure.suptitle(shorten(f"{what}: {completed.name}", LONGEST_TITLE, placeholder=" ..."), x=0.012, ha="left")
    about = f"{completed.period}, after costs, {completed.run.request.adjustment} prices, {completed.run.id}"
    believed = wrap(verdict(completed.summary) or "", LONGEST_LINE)
    axes.set_title("\n".join([about, *believed]))


def legend(figure: "Figure", columns: int = 3) -> None:
    """Put the legend below the axes, where it hides nothing."""
    figure.legend(loc="outside lower left", ncols=columns)


def instants(time: Integers) -> Instants:
    """Return nanoseconds as matplotlib reads them."""
    return time.astype("datetime64[ns]")


def line(axes: "Axes", curve: EquityCurve, **style: Any) -> None:
    """Draw a curve of any length; a single point is drawn as a mark."""
    few = extremes(curve, POINTS)
    axes.plot(instants(few.time), few.value, marker="o" if len(few.time) == 1 else "", **style)


def date_axis(axes: "Axes", time: Integers, *, daily: bool) -> None:
    """Label the days; where there are only few bars, each of them."""
    from matplotlib import dates  # noqa: PLC0415 - with matplotlib

    shown = instants(time)
    if len(shown) <= FEW_POINTS:
        axes.set_xlim(shown[0] - HALF_DAY, shown[-1] + HALF_DAY)
        axes.set_xticks(shown)
        axes.xaxis.set_major_formatter(dates.DateFormatter("%Y-%m-%d" if daily else "%Y-%m-%d\n%H:%M"))
    else:
        axes.margins(x=0.01)
        locator = dates.AutoDateLocator(minticks=4, maxticks=9)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    axes.set_xlabel("date (UTC)")


def money_axis(axes: "Axes", label: str, values: Floats) -> None:
    """Label money; on a logarithmic scale where it multiplies."""
    from matplotlib import ticker  # noqa: PLC0415 - with matplotlib

    least, greatest = float(values.min()), float(values.max())
    is_log = least > 0 and greatest / least > LOG_FROM
    if is_log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    digits = max(0, 2 - floor(log10(max(greatest - least, greatest / LOG_FROM, LEAST_MONEY))))
    axes.yaxis.set_major_formatter(lambda value, _: _plain(f"{value:,.{digits}f}"))
    axes.set_ylabel(f"{label}, log" if is_log else label)


def percent_axis(axes: "Axes", label: str) -> None:
    """Label fractions as percent."""
    axes.yaxis.set_major_formatter(lambda value, _: _plain(f"{100 * value:.4f}") + "%")
    axes.set_ylabel(label)


def note(axes: "Axes", text: str) -> None:
    """Say in the middle of the axes why they are empty."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center")


def _plain(number: str) -> str:
    """Return the number without the zeros behind its point, and no minus before a zero."""
    short = number.rstrip("0").rstrip(".") if "." in number else number
    return "0" if short == "-0" else short


def _style(palette: Palette) -> dict[str, Any]:
    return {
        "font.size": 10,
        "text.parse_math": False,  # a symbol may hold dollar signs
        "text.color": palette.text,
        "figure.facecolor": palette.background,
        "figure.titlesize": 11.5,
        "figure.titleweight": "bold",
        "axes.facecolor": palette.background,
        "axes.edgecolor": palette.grid,
        "axes.labelcolor": palette.text,
        "axes.titlelocation": "left",
        "axes.titlesize": 9,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": palette.grid,
        "grid.linewidth": 0.6,
        "xtick.color": palette.text,
        "ytick.color": palette.text,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "lines.linewidth": 1.3,
        "legend.frameon": False,
        "legend.fontsize": 9.5,
    }
