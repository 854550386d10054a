"""vectorbt's compiled simulation and accounting, every option passed explicitly.

Without Rust kernels vectorbt's Numba ones do the work: slower to start, equal bit for bit. A test compares both with
`Portfolio.from_signals`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from threading import Lock
from typing import Any, Protocol

import numpy as np

from backtesting.errors import SimulationError
from backtesting.types import Booleans, Floats, Integers
from backtesting.vectorbt_records import provide_record_types

PERCENT_OF_EQUITY, EXIT_WINS, BUY = 2, 2, 0
ALL_DIRECTIONS, REVERSE_REDUCE, STOP_FROM_CLOSE, STOP_OVERRIDE = 2, 4, 3, 1
SMALLEST_ORDER = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What is simulated side by side, k columns of it.

    `bars` are those that carry a signal, (m,), in order; `entries` and `exits`, (m, k), tell in which columns. `size`,
    `fees` and `slippage` are fractions of equity and of notional, (k,).
    """

    bars: Integers
    entries: Booleans
    exits: Booleans
    size: Floats
    fees: Floats
    slippage: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """What the orders did: records of vectorbt, and what each of the k columns held at the n closes.

    `cash` and `held`, (m, k), stand for `lasting` closes each, (m,).
    """

    orders: Any
    trades: Any
    cash: Floats
    held: Floats
    lasting: Integers
    close: Floats

    def units(self, column: int) -> Floats:
        """Return the holding at each close, (n,), read-only."""
        return _read_only(np.repeat(self.held[:, column], self.lasting))

    def equity(self, column: int) -> Floats:
        """Return the equity at each close, (n,), read-only; infinite where no number can hold it."""
        equity = np.repeat(self.held[:, column], self.lasting)
        with np.errstate(over="ignore", invalid="ignore"):
            equity *= self.close
            equity += np.repeat(self.cash[:, column], self.lasting)
        return _read_only(equity)

    def final(self, column: int) -> float:
        """Return the equity at the last close."""
        return float(self.cash[-1, column]) + float(self.close[-1]) * float(self.held[-1, column])


class Kernels(Protocol):
    """One implementation of vectorbt's simulation."""

    name: str

    def simulate(self, target_shape: tuple[int, int], options: Mapping[str, Any]) -> Any:
        """Return the order records of `simulate_from_signals`."""
        ...

    def account(self, orders: Any, marks: Floats, init_cash: Floats) -> tuple[Any, Floats, Floats]:
        """Return trades, cash and holdings that follow from the order records; `marks` are closes, (n, k)."""
        ...


class RustKernels:
    """vectorbt's Rust kernels, called directly."""

    name = "vectorbt-rust"

    def __init__(self) -> None:
        import vectorbt_rust.portfolio  # noqa: PLC0415 - needed by the first run, not by the server's start
        import vectorbt_rust.records  # noqa: PLC0415

        self._portfolio, self._records = vectorbt_rust.portfolio, vectorbt_rust.records
        provide_record_types()

    def simulate(self, target_shape: tuple[int, int], options: Mapping[str, Any]) -> Any:
        """Return the order records of `simulate_from_signals`."""
        orders, _ = self._portfolio.simulate_from_signals_rs(target_shape, **options)
        return orders

    def account(self, orders: Any, marks: Floats, init_cash: Floats) -> tuple[Any, Floats, Floats]:
        """Return trades, cash and holdings that follow from the order records."""
        kernel, shape = self._portfolio, marks.shape
        columns = self._records.col_map_rs(orders["col"], shape[1])
        units = kernel.assets_rs(kernel.asset_flow_rs(orders, *columns, shape, ALL_DIRECTIONS))
        cash = kernel.cash_rs(kernel.cash_flow_rs(orders, *columns, shape, False), init_cash)  # noqa: FBT003 - all cash
        trades = kernel.get_exit_trades_rs(orders, marks, *columns)
        return trades, cash, units


class NumbaKernels:
    """vectorbt's Numba kernels through its own dispatch, for platforms without the Rust wheel."""

    name = "vectorbt-numba"

    def __init__(self) -> None:
        from vectorbt.portfolio import dispatch as portfolio  # noqa: PLC0415 - seconds to import
        from vectorbt.records import dispatch as records  # noqa: PLC0415

        self._portfolio, self._records = portfolio, records

    def simulate(self, target_shape: tuple[int, int], options: Mapping[str, Any]) -> Any:
        """Return the order records of `simulate_from_signals`."""
        orders, _ = self._portfolio.simulate_from_signals(target_shape, **options, engine="numba")
        return orders

    def account(self, orders: Any, marks: Floats, init_cash: Floats) -> tuple[Any, Floats, Floats]:
        """Return trades, cash and holdings that follow from the order records."""
        kernel, shape, engine = self._portfolio, marks.shape, {"engine": "numba"}
        columns = self._records.col_map(orders["col"], shape[1], **engine)
        units = kernel.assets(kernel.asset_flow(shape, orders, columns, ALL_DIRECTIONS, **engine), **engine)
        cash = kernel.cash(kernel.cash_flow(shape, orders, columns, free=False, **engine), init_cash, **engine)
        trades = kernel.get_exit_trades(orders, marks, columns, **engine)
        return trades, cash, units


def trade_long(columns: Columns, price: Floats, close: Floats, init_cash: float) -> Account:
    """Fill each signal at the price of the bar it stands in, long only, sized as a fraction of the equity when flat.

    `price` (of fills) and `close` (of marks): (n,). An exit beats an entry of the same bar (O5), an entry while holding
    is ignored (O6), costs are inside the budget (Q1). SimulationError when the kernel stops.

    The kernels are handed the bars that carry a signal, those after them, the first and the last: without stops nothing
    changes in between, and sizes depend on cash alone.
    """
    n, k = len(close), len(columns.size)
    rows, at = _eventful(columns.bars, n)
    cash, marks = np.full(k, float(init_cash)), close[rows]
    signals = np.zeros((2, len(rows), k), dtype=np.bool_)
    signals[0, at], signals[1, at] = columns.entries, columns.exits
    options = kernel_options(len(rows), k) | {
        "init_cash": cash,
        "entries": signals[0],
        "exits": signals[1],
        "price": price[rows][:, None],
        "close": marks[:, None],
        "size": columns.size,
        "fees": columns.fees,
        "slippage": columns.slippage,
    }
    kernels = load_kernels()
    try:
        orders = kernels.simulate((len(rows), k), options)
        trades, money, units = kernels.account(orders, np.repeat(marks[:, None], k, axis=1), cash)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # raised by Rust, derives from BaseException alone
            raise
        raise SimulationError("the simulation kernel stopped at an internal error; the run was given up") from error
    for records, name in ((orders, "idx"), (trades, "entry_idx"), (trades, "exit_idx")):
        records[name] = rows[records[name]]
    return Account(orders, trades, money, units, np.append(rows[1:], n) - rows, close)


def _eventful(bars: Integers, n: int) -> tuple[Integers, Integers]:
    """Return the bars where something may change, and where in them these bars are."""
    eventful = np.zeros(n, dtype=np.bool_)
    eventful[0] = eventful[-1] = True
    eventful[bars] = True
    eventful[np.minimum(bars + 1, n - 1)] = True
    rows = np.flatnonzero(eventful)
    return rows, np.searchsorted(rows, bars)


def _read_only(column: Floats) -> Floats:
    column.flags.writeable = False
    return column


@cache
def load_kernels() -> Kernels:
    """Return the fastest kernels installed; the first call imports them."""
    with _loading:
        try:
            return RustKernels()
        except ImportError:
            return NumbaKernels()


@cache
def engine_versions() -> Mapping[str, str]:
    """Return the versions of the engine's packages in use."""
    used = ("vectorbt", "vectorbt-rust") if load_kernels().name == RustKernels.name else ("vectorbt", "numba")
    return {package: version(package) for package in used}


def kernel_options(n: int, k: int) -> dict[str, Any]:
    """Return the options that are the same in every call; scalars travel as 0-d arrays."""
    return _same_always() | {"group_lens": np.ones(k, np.int64), "call_seq": np.zeros((n, k), np.int64)}


@cache
def _same_always() -> dict[str, Any]:
    no, yes, zero, endless, unset = (np.asarray(value) for value in (False, True, 0.0, np.inf, np.nan))
    first = np.asarray(0)
    return {
        "direction": first,
        **dict.fromkeys(("long_entries", "long_exits", "short_entries", "short_exits"), no),
        "size_type": np.asarray(PERCENT_OF_EQUITY),
        "fixed_fees": zero,
        "min_size": np.asarray(SMALLEST_ORDER),
        "max_size": endless,
        "size_granularity": unset,
        "reject_prob": zero,
        "lock_cash": no,
        "allow_partial": yes,
        "raise_reject": no,
        "log": no,
        "accumulate": first,
        "upon_long_conflict": np.asarray(EXIT_WINS),
        "upon_short_conflict": np.asarray(EXIT_WINS),
        "upon_dir_conflict": first,
        "upon_opposite_entry": np.asarray(REVERSE_REDUCE),
        "val_price": endless,
        **dict.fromkeys(("open", "high", "low", "sl_stop", "tp_stop"), unset),
        "sl_trail": no,
        "stop_entry_price": np.asarray(STOP_FROM_CLOSE),
        "stop_exit_price": first,
        "upon_stop_exit": first,
        "upon_stop_update": np.asarray(STOP_OVERRIDE),
        "use_stops": False,
        "auto_call_seq": False,
        "ffill_val_price": True,
        "update_value": False,
        "max_orders": None,
        "max_logs": 0,
        "init_temp_records": False,
        "flex_2d": True,
    }


_loading = Lock()
