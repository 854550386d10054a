"""Indicators that can be asked for by name, one line each: parameters, function, and the bars they need before."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from backtesting.errors import BacktestError, UnknownNameError, shown
from backtesting.indicators import (
    Directional,
    adx,
    atr,
    bollinger,
    donchian,
    ema,
    keltner,
    macd,
    rate_of_change,
    rsi,
    sma,
    stochastic,
    supertrend,
)
from backtesting.strategy import LARGEST_WINDOW, RECURSIVE_UNSTABLE
from backtesting.types import Bars, Floats

Parameters = Mapping[str, int | float]


@dataclass(frozen=True, slots=True)
class Indicator:
    """A function of bars: `compute` returns its lines by name, the only one's name empty, each of the bars' length.

    `parameters` holds names and defaults, in the order they are written in; `warmup` is the number of bars before the
    first defined value, `unstable` how many more a recursive one needs to forget its seed (contract W1).
    """

    parameters: Parameters
    compute: Callable[..., Mapping[str, Floats]]
    warmup: Callable[..., int]
    unstable: int = 0


def _adx(bars: Bars, period: int) -> Directional:
    if period < 2:  # noqa: PLR2004 - Wilder's seed is of the period's other bars
        raise ValueError(f"period {period} must be 2 or more")
    return adx(bars.high, bars.low, bars.close, period)


INDICATORS: Mapping[str, Indicator] = {
    "sma": Indicator(
        {"window": 20},
        lambda bars, window: {"": sma(bars.close, window)},
        lambda window: window - 1,
    ),
    "ema": Indicator(
        {"window": 20},
        lambda bars, window: {"": ema(bars.close, window)},
        lambda window: window - 1,
        RECURSIVE_UNSTABLE,
    ),
    "rsi": Indicator(
        {"period": 14},
        lambda bars, period: {"": rsi(bars.close, period)},
        lambda period: period,
        RECURSIVE_UNSTABLE,
    ),
    "macd": Indicator(
        {"fast": 12, "slow": 26, "signal": 9},
        lambda bars, **spans: macd(bars.close, **spans)._asdict(),
        lambda fast, slow, signal: max(fast, slow) + signal - 2,
        RECURSIVE_UNSTABLE,
    ),
    "roc": Indicator(
        {"period": 10},
        lambda bars, period: {"": rate_of_change(bars.close, period)},
        lambda period: period,
    ),
    "stochastic": Indicator(
        {"k_period": 14, "k_smoothing": 3, "d_period": 3},
        lambda bars, **spans: stochastic(bars.high, bars.low, bars.close, **spans)._asdict(),
        lambda k_period, k_smoothing, d_period: k_period + k_smoothing + d_period - 3,
    ),
    "atr": Indicator(
        {"period": 14},
        lambda bars, period: {"": atr(bars.high, bars.low, bars.close, period)},
        lambda period: period,
        RECURSIVE_UNSTABLE,
    ),
    "adx": Indicator(
        {"period": 14},
        lambda bars, period: _adx(bars, period)._asdict(),
        lambda period: 2 * period - 1,
        RECURSIVE_UNSTABLE,
    ),
    "bollinger": Indicator(
        {"period": 20, "deviations": 2.0},
        lambda bars, period, deviations: bollinger(bars.close, period, deviations)._asdict(),
        lambda period, **_: period - 1,
    ),
    "donchian": Indicator(
        {"period": 20},
        lambda bars, period: donchian(bars.high, bars.low, period)._asdict(),
        lambda period: period,
    ),
    "keltner": Indicator(
        {"period": 20, "atr_period": 10, "multiplier": 2.0},
        lambda bars, **spans: keltner(bars.high, bars.low, bars.close, **spans)._asdict(),
        lambda period, atr_period, **_: max(period - 1, atr_period),
        RECURSIVE_UNSTABLE,
    ),
    "supertrend": Indicator(
        {"period": 10, "multiplier": 3.0},
        lambda bars, **spans: supertrend(bars.high, bars.low, bars.close, **spans)._asdict(),
        lambda period, **_: period,
        RECURSIVE_UNSTABLE,
    ),
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """An indicator with its parameters; `label` is how it was written, defaults filled in."""

    label: str
    indicator: Indicator
    parameters: Parameters = field(default_factory=lambda: MappingProxyType({}))

    @property
    def history(self) -> int:
        """Bars needed before the first one whose value is wanted."""
        return self.indicator.warmup(**self.parameters) + self.indicator.unstable

    def lines(self, bars: Bars) -> dict[str, Floats]:
        """Return the lines by label, each of the bars' length; BacktestError where parameters contradict each other."""
        try:
            computed = self.indicator.compute(bars, **self.parameters)
        except ValueError as error:
            raise BacktestError(f"indicators: {self.label}: {error}", field="indicators") from error
        return {f"{self.label} {name}".strip(): line for name, line in computed.items()}


def chosen(text: str) -> Chosen:
    """Read an indicator written as name:parameter:parameter, such as sma:20; what is left out has its default."""
    name, *given = text.strip().lower().split(":")
    if name not in INDICATORS:
        raise UnknownNameError.among("indicator", name, map(_written, INDICATORS), field="indicators")
    indicator = INDICATORS[name]
    if len(given) > len(indicator.parameters):
        raise BacktestError(f"indicators: {shown(text)} has too many parameters: {_written(name)}", field="indicators")
    values = dict(indicator.parameters) | {
        parameter: _number(value, type(indicator.parameters[parameter]), name)
        for parameter, value in zip(indicator.parameters, given, strict=False)
    }
    return Chosen(":".join([name, *(f"{value:g}" for value in values.values())]), indicator, values)


def _number(text: str, kind: type[int | float], name: str) -> int | float:
    """Return a parameter's number, in the range the strategies take."""
    try:
        value = kind(text)
    except ValueError:
        value = kind(0)
    if not 0 < value <= LARGEST_WINDOW:
        what = "a whole number" if kind is int else "a number"
        raise BacktestError(
            f"indicators: {shown(text)} is not {what} above 0 and up to {LARGEST_WINDOW}: {_written(name)}",
            field="indicators",
        )
    return value


def _written(name: str) -> str:
    """Return how an indicator is written, with its defaults."""
    return ":".join([name, *(f"{value:g}" for value in INDICATORS[name].parameters.values())])
