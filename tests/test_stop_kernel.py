"""Our own kernel with everything off against vectorbt's two, order by order and bit by bit.

The one exception is the size of a short that is a fraction of equity: vectorbt takes the fraction of the largest short,
which it divides by price x (1 + rate) at once; we size shorts as we size longs, budget / (1 + rate) / price (Q1). It is
the same number but for its last bits, which every later size inherits.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from backtesting.conditions import Conditions
from backtesting.decisions import Terms, decisions_of
from backtesting.order_trading import trade_orders
from backtesting.stop_kernel.loop import machine_code
from backtesting.types import Bars, Costs, Fill, OrderOptions, Signals
from backtesting.vectorbt_kernels import BUY, kernel_options, load_kernels
from tests.fixtures.series import daily
from tests.fixtures.trading import terms_of

ROOT = Path(__file__).parents[1]
CONFIGURATIONS = 600
AMOUNT, PERCENT = 0, 2
FIELDS = ("idx", "size", "price", "fees", "side")
FILLS: tuple[Fill, ...] = ("next_open", "next_close", "same_close")
SHORT_ONLY = 1
SIZED_BY_UNITS = 3  # every so manieth short

Configuration = tuple[Bars, Signals, Terms]
Answer = dict[str, NDArray[Any]]


def configurations() -> Iterator[Configuration]:
    """Return bars, decisions and terms that vectorbt can express: percent or units, rates and a fixed fee."""
    for seed in range(CONFIGURATIONS):
        random = np.random.default_rng(seed)
        n = int(random.integers(2, 250))
        close = 10 ** random.uniform(-2, 4) * np.exp(np.cumsum(random.normal(0, 0.03, n)))
        open_ = close * np.exp(random.normal(0, 0.01, n))
        bars = daily(open_, np.maximum(open_, close) * 1.01, np.minimum(open_, close) * 0.99, close)
        signals = Signals(random.random(n) < random.uniform(0.02, 0.5), random.random(n) < random.uniform(0.02, 0.5))
        capital = float(10 ** random.uniform(1, 7))
        costs = Costs(
            commission=float(random.choice([0.0, 0.0001, 0.001, 0.05])),
            slippage=float(random.choice([0.0, 0.0005, 0.02])),
            fixed=float(random.choice([0.0, 0.0, capital / 1000])),
        )
        terms = terms_of(
            initial_capital=capital,
            position_size=float(random.choice([1.0, 0.95, 0.5, 0.013])),
            costs=costs,
            fill=FILLS[seed % 3],
            options=OrderOptions.model_validate({"sizing": units(seed, capital / close[0] / 2)}),
        )
        yield bars, signals, terms


def units(seed: int, quantity: float) -> dict[str, Any] | None:
    """Return the sizing of every fifth configuration: a number of units; else None."""
    return {"method": "fixed_units", "units": quantity} if seed % 5 == 0 else None


def short_configurations() -> Iterator[Configuration]:
    """Return the same for shorts: on bars too calm for a margin call, which vectorbt does not know."""
    for seed in range(CONFIGURATIONS):
        random = np.random.default_rng(seed)
        n = int(random.integers(2, 250))
        close = 10 ** random.uniform(-2, 4) * np.exp(np.cumsum(random.normal(0, 0.01, n)))
        open_ = close * np.exp(random.normal(0, 0.005, n))
        bars = daily(open_, np.maximum(open_, close) * 1.01, np.minimum(open_, close) * 0.99, close)
        short, cover = (random.random(n) < random.uniform(0.02, 0.5) for _ in range(2))
        capital, by_units = float(10 ** random.uniform(1, 7)), seed % SIZED_BY_UNITS == 0
        costs = Costs(
            commission=float(random.choice([0.0, 0.0001, 0.001, 0.01])),
            slippage=float(random.choice([0.0, 0.0005, 0.005])),
            fixed=capital / 10_000 if by_units else 0.0,
        )
        sizing = {"method": "fixed_units", "units": capital / close[0] / 10} if by_units else None
        terms = terms_of(
            initial_capital=capital,
            position_size=float(random.choice([1.0, 0.95, 0.5, 0.013])),
            costs=costs,
            fill=FILLS[seed % len(FILLS)],
            options=OrderOptions.model_validate({"sizing": sizing, "direction": "short"}),
        )
        nothing = np.zeros(n, dtype=np.bool_)
        yield bars, Signals(nothing, nothing, short_entries=short, short_exits=cover), terms


def our_orders(bars: Bars, signals: Signals, terms: Terms) -> dict[str, NDArray[Any]]:
    """Return what our kernel ordered, both orders of each trade in the order of their fills."""
    trades = trade_orders(bars, decisions_of(signals, terms), terms, Conditions()).strategy.trades
    orders = [
        (trade[f"{end}_bar"], trade["quantity"], trade[f"{end}_price"], trade[f"{end}_fees"], side)
        for trade in trades
        for end, side in zip(("entry", "exit"), (1 - BUY, BUY) if trade["is_short"] else (BUY, 1 - BUY), strict=True)
        if end == "entry" or not trade["is_open"]
    ]
    kinds = (np.int64, np.float64, np.float64, np.float64, np.int64)
    columns = zip(*orders, strict=True) if orders else [()] * len(FIELDS)
    return {name: np.array(column, kind) for name, kind, column in zip(FIELDS, kinds, columns, strict=True)}


def their_orders(bars: Bars, signals: Signals, terms: Terms) -> dict[str, NDArray[Any]]:
    """Return what vectorbt's kernel ordered, every option said."""
    n, sizing, is_short = len(bars), terms.options.sizing, terms.options.direction == "short"
    decided = (signals.short_entries, signals.short_exits) if is_short else (signals.entries, signals.exits)
    due = [terms.due(each, np.False_)[:, None].copy() for each in decided]
    options = kernel_options(n, 1) | {
        "init_cash": np.array([terms.initial_capital]),
        "entries": due[0],
        "exits": due[1],
        "direction": np.asarray(SHORT_ONLY if is_short else 0),
        "price": (bars.open if terms.fill == "next_open" else bars.close)[:, None],
        "close": bars.close[:, None],
        "size": np.array([terms.position_size if sizing is None else sizing.units]),
        "size_type": np.asarray(PERCENT if sizing is None else AMOUNT),
        "fees": np.array([terms.costs.commission]),
        "slippage": np.array([terms.costs.slippage]),
        "fixed_fees": np.array([terms.costs.fixed]),
    }
    orders = load_kernels().simulate((n, 1), options)
    return {name: np.ascontiguousarray(orders[name]) for name in FIELDS}


def answers(configurations: Iterator[Configuration], orders: Callable[..., Answer], name: str = "") -> Answer:
    """Return the columns of all orders by name and number."""
    return {
        f"{name}{field}{at}": column
        for at, each in enumerate(configurations)
        for field, column in orders(*each).items()
    }


def all_theirs() -> Answer:
    """Return the orders of the kernels that this process loads."""
    return answers(configurations(), their_orders) | answers(short_configurations(), their_orders, "short_")


def write_theirs(path: str) -> None:
    np.savez(path, kernels=np.asarray(load_kernels().name), **all_theirs())


@pytest.fixture(scope="module")
def rust() -> Answer:
    theirs = all_theirs()
    assert load_kernels().name == "vectorbt-rust"
    return theirs


@pytest.fixture(scope="module")
def numba(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    path = tmp_path_factory.mktemp("numba") / "orders.npz"
    code = (
        "import sys; sys.modules['vectorbt_rust'] = None\n"
        f"from tests.test_stop_kernel import write_theirs; write_theirs({str(path)!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(path) as theirs:
        assert str(theirs["kernels"]) == "vectorbt-numba"
        return dict(theirs)


def differing(ours: Answer, theirs: Answer) -> list[str]:
    """Return the columns of ours that differ from theirs in any bit."""
    return [name for name, column in ours.items() if column.tobytes() != theirs[name].tobytes()]


@pytest.mark.parametrize("kernels", ["rust", "numba"])
def test_with_stops_off_our_orders_are_those_of_vectorbts_kernels_bit_for_bit(
    kernels: str, request: pytest.FixtureRequest
) -> None:
    theirs: Answer = request.getfixturevalue(kernels)

    ours = answers(configurations(), our_orders)

    assert sum(len(column) for name, column in ours.items() if name.startswith("idx")) > 10_000
    assert differing(ours, theirs) == []


@pytest.mark.parametrize("kernels", ["rust", "numba"])
def test_shorts_are_those_of_vectorbts_kernels_and_by_units_bit_for_bit(
    kernels: str, request: pytest.FixtureRequest
) -> None:
    theirs: Answer = request.getfixturevalue(kernels)

    ours = answers(short_configurations(), our_orders, "short_")
    sizes = {name for name in differing(ours, theirs) if name.startswith(("short_size", "short_fees"))}

    assert sum(len(column) for name, column in ours.items() if name.startswith("short_idx")) > 10_000
    assert set(differing(ours, theirs)) == sizes  # bars, prices and sides are equal to the last bit
    assert not [name for name in sizes if int(name[len("short_size") :]) % SIZED_BY_UNITS == 0]
    for name in sizes:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-13)


def test_both_of_vectorbts_kernels_short_alike_bit_for_bit(rust: Answer, numba: Answer) -> None:
    assert differing(rust, numba) == []


def test_a_server_that_needs_no_kernel_of_ours_does_not_import_numba() -> None:
    code = (
        "import sys\n"
        "import mcp_server.server, backtesting.engine, backtesting.simulation\n"
        "print('numba' in sys.modules, 'backtesting.stop_kernel' in sys.modules)"
    )

    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert told.stdout.split() == ["False", "False"]


def test_all_calls_share_one_compiled_version() -> None:
    bars, signals, terms = next(configurations())
    loose = Bars(bars.time.copy(), *(np.repeat(column, 2)[::2] for column in bars.ohlcv))
    changed = terms_of(options=OrderOptions(delay_bars=3, stop_loss=0.1))

    our_orders(bars, signals, terms)
    trade_orders(loose, decisions_of(signals, changed), changed, Conditions())

    assert len(machine_code().signatures) == 1


def test_a_change_of_any_source_is_never_hidden_by_machine_code_kept_on_disk(tmp_path: Path) -> None:
    # with the machine code that is kept beside the sources, if any; others may be writing there
    half_written = shutil.ignore_patterns("*.pyc*", "*.tmp*")
    shutil.copytree(ROOT / "backtesting", tmp_path / "backtesting", ignore=half_written)
    source = tmp_path / "backtesting" / "stop_kernel" / "account.py"

    before = fees_in(tmp_path)
    source.write_text(source.read_text().replace("return max(fee, least)", "return 2.0 * max(fee, least)"))

    # 1 unit bought at 100 at 1 %
    assert (before, fees_in(tmp_path)) == ("1.0", "2.0")


def fees_in(folder: Path) -> str:
    """Return the fee of one entry, traded by the package in this folder."""
    code = """
import numpy as np
from backtesting.stop_kernel import RULES, Market, Orders, trade
two, zero, rules = np.full(2, 100.0), np.zeros(2), np.zeros(1, RULES)
rules["initial_cash"], rules["leverage"], rules["commission"], rules["sizing"], rules["amount"] = 1000, 1, 0.01, 2, 1
orders = Orders(np.array([0, 4], np.uint8), two, two, zero * np.nan, zero * np.nan, zero * np.nan)
print(trade(Market(two, two, two, two, two, zero, zero), orders, rules[0]).trades["entry_fees"][0])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
