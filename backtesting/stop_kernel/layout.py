"""What the kernel works on: arrays by bar, and records of the rules, of the account and of its trades."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
from numba import njit

from backtesting.types import ExitReason, Floats

P = ParamSpec("P")
R = TypeVar("R")

EXIT_LONG, EXIT_SHORT, ENTER_LONG, ENTER_SHORT = 1, 2, 4, 8
FRACTION, CASH, UNITS, UNITS_OF_EQUITY, KELLY = range(5)
STOP, TARGET, TRAIL = range(3)
REASON = {reason: code for code, reason in enumerate(ExitReason)}

RULES = np.dtype(
    [
        ("initial_cash", "f8"),
        ("at_close", "?"),
        ("delay", "i8"),
        ("commission", "f8"),
        ("slippage", "f8"),
        ("per_unit", "f8"),
        ("fixed", "f8"),
        ("min_fee", "f8"),
        ("participation", "f8"),
        ("borrow", "f8"),
        ("sizing", "i8"),
        ("amount", "f8"),
        ("kelly_fraction", "f8"),
        ("kelly_cap", "f8"),
        ("kelly_trades", "i8"),
        ("lot_size", "f8"),
        ("lots_a_unit", "f8"),
        ("min_notional", "f8"),
        ("leverage", "f8"),
        ("stop_is_fraction", "?"),
        ("target_is_fraction", "?"),
        ("trail_is_fraction", "?"),
        ("base_is_fill", "?"),
        ("optimistic", "?"),
        ("limit_touch", "?"),
        ("max_holding", "i8"),
        ("close_at_end", "?"),
    ],
    align=True,
)
STATE = np.dtype(
    [
        ("cash", "f8"),
        ("units", "f8"),
        ("trade", "i8"),
        ("entry_bar", "i8"),
        ("filled_at_close", "?"),
        ("stop", "f8"),
        ("target", "f8"),
        ("trail", "f8"),
        ("peak", "f8"),
        ("liquidate", "?"),
        ("bankrupt_bar", "i8"),
        ("won", "i8"),
        ("lost", "i8"),
        ("closed", "i8"),
        ("won_sum", "f8"),
        ("lost_sum", "f8"),
        ("kelly", "f8"),
        ("clipped", "i8"),
        ("unfilled", "i8"),
        ("ignored", "i8"),
        ("ambiguous", "i8"),
    ],
    align=True,
)
NOW = np.dtype(
    [
        ("bar", "i8"),
        ("is_last", "?"),
        ("open", "f8"),
        ("high", "f8"),
        ("low", "f8"),
        ("close", "f8"),
        ("volume", "f8"),
        ("spread", "f8"),
        ("wanted", "i8"),
        ("scale", "f8"),
        ("decided_close", "f8"),
        ("stop", "f8"),
        ("target", "f8"),
        ("trail", "f8"),
        ("held", "f8"),
        ("worth", "f8"),
    ],
    align=True,
)
TRADE = np.dtype(
    [
        ("entry_bar", "i8"),
        ("exit_bar", "i8"),
        ("entry_price", "f8"),
        ("exit_price", "f8"),
        ("exit_market_price", "f8"),
        ("quantity", "f8"),
        ("entry_fees", "f8"),
        ("exit_fees", "f8"),
        ("slippage", "f8"),
        ("borrow", "f8"),
        ("is_short", "?"),
        ("is_open", "?"),
        ("exit_reason", "i8"),
        ("exit_inside", "?"),
    ],
    align=True,
)


class Market(NamedTuple):
    """The n bars of the period, float64: prices, volume, what a spread adds to a price, years since the bar before."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    spread: Floats
    years: Floats


class Orders(NamedTuple):
    """What was decided, at the bar of its fill: bits of exits and entries (uint8), and the terms of an entry.

    `scale` is the fraction or quantity of equity to trade, `decided_close` the close of the deciding bar; `stop`,
    `target` and `trail` are fractions or distances in price, NaN where there is none.
    """

    wanted: Any
    scale: Floats
    decided_close: Floats
    stop: Floats
    target: Floats
    trail: Floats


class Book(NamedTuple):
    """One account at one bar: what it is traded by, how it stands, what the bar brings, and its trades so far.

    Records and nothing by the bar, so that handing it on costs nothing.
    """

    rules: Any
    state: Any
    now: Any
    trades: Any


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile to machine code that releases the GIL, when it is first called."""
    machine_code: Callable[P, R] = njit(nogil=True)(function)
    return machine_code


def kept(function: Callable[P, R]) -> Callable[P, R]:
    """Compile as well, and keep the machine code on disk for the next process, where a folder can be written.

    That is the one beside the source, else the user's cache, or NUMBA_CACHE_DIR.
    """
    try:
        machine_code: Callable[P, R] = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no such folder
        return compiled(function)
    return machine_code


def files_of(machine_code: Any) -> tuple[Path, ...]:
    """Return numba's indexes of a kept function's machine code, none where it could not be kept."""
    folder = getattr(machine_code.stats, "cache_path", None)
    return tuple(Path(folder).glob(f"*{machine_code.__name__}-*.nbi")) if folder else ()
