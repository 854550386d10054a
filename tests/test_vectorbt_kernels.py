"""Our thin way to vectorbt's kernels against vectorbt itself, in processes of their own.

The record types we hand to the Rust kernels stand in for the package, so the process that uses them cannot import it.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from backtesting.types import Booleans, Costs, Floats
from backtesting.vectorbt_kernels import Columns, load_kernels, trade_long
from backtesting.vectorbt_records import RECORD_FIELDS, record_dtype
from tests.fixtures.in_memory import Desk
from tests.fixtures.series import p_bars

ROOT = Path(__file__).parents[1]
CONFIGURATIONS = 120
RECORDS = [(module, name) for module, records in RECORD_FIELDS.items() for name in records]
GOLDEN_FINAL = 94818.42144834987  # contract 13.3: Rust = Numba = a plain loop


def configurations() -> Iterator[tuple[Columns, Floats, Floats, float]]:
    """Return decisions, opens, closes and cash, anew for each configuration."""
    for seed in range(CONFIGURATIONS):
        random = np.random.default_rng(seed)
        n, k = int(random.integers(2, 250)), int(random.integers(1, 5))
        close = 10 ** random.uniform(-2, 4) * np.exp(np.cumsum(random.normal(0, 0.03, n)))
        columns = Columns(
            bars=np.arange(n),
            entries=random.random((n, k)) < random.uniform(0.02, 0.5),
            exits=random.random((n, k)) < random.uniform(0.02, 0.5),
            size=random.choice([1.0, 0.95, 0.5, 0.013], k),
            fees=random.choice([0.0, 0.0001, 0.001, 0.05], k),
            slippage=random.choice([0.0, 0.0005, 0.02], k),
        )
        yield columns, close * np.exp(random.normal(0, 0.01, n)), close, float(10 ** random.uniform(1, 7))


def due(decided: Booleans) -> Booleans:
    """Return decisions a bar later, when they fill."""
    return np.concatenate([np.zeros_like(decided[:1]), decided[:-1]])


def eventful(columns: Columns) -> Columns:
    """Return the decisions where they fill, at the bars that have some."""
    entries, exits = due(columns.entries), due(columns.exits)
    bars = np.flatnonzero((entries | exits).any(axis=1))
    return replace(columns, bars=bars, entries=entries[bars], exits=exits[bars])


def write_ours(path: str) -> None:
    """Trade every configuration with the kernels that load, and the golden run with the whole engine."""
    written: dict[str, Any] = {}
    for number, (columns, open_, close, cash) in enumerate(configurations()):
        account = trade_long(eventful(columns), open_, close, cash)
        equity = [account.equity(column) for column in range(len(columns.size))]
        written |= {f"orders{number}": account.orders, f"equity{number}": np.stack(equity, axis=1)}
    written |= {"kernels": load_kernels().name, "golden": golden_final()}
    np.savez(path, **written)


def golden_final() -> float | int | None:
    """Return the final capital of the golden run on series P."""
    run = Desk(p_bars()).run(
        "sma_crossover",
        parameters={"fast_period": 5, "slow_period": 20, "position_size": 0.95},
        costs=Costs(commission=0.001, slippage=0.0005),
    )
    assert run.summary is not None
    return run.summary.metrics["final_capital"]


def write_portfolios(path: str) -> None:
    """Trade every configuration with `vectorbt.Portfolio`, every option said; then the golden run with our engine."""
    import pandas as pd  # noqa: PLC0415 - only in this process
    import vectorbt  # noqa: PLC0415

    written: dict[str, Any] = {"layouts": [layout(getattr(import_module(module), name)) for module, name in RECORDS]}
    for number, (columns, open_, close, cash) in enumerate(configurations()):
        frame = {
            name: pd.DataFrame(values) for name, values in (("entries", columns.entries), ("exits", columns.exits))
        }
        portfolio = vectorbt.Portfolio.from_signals(
            pd.DataFrame(np.repeat(close[:, None], columns.entries.shape[1], axis=1)),
            entries=frame["entries"].shift(1, fill_value=False),
            exits=frame["exits"].shift(1, fill_value=False),
            price=open_[:, None],
            size=columns.size[None, :],
            fees=columns.fees[None, :],
            slippage=columns.slippage[None, :],
            init_cash=cash,
            **OPTIONS,
        )
        written[f"orders{number}"] = portfolio.orders.values
        written[f"equity{number}"] = portfolio.value().to_numpy().reshape(columns.entries.shape)
    written |= {"kernels": load_kernels().name, "golden": golden_final()}
    np.savez(path, **written)


OPTIONS: dict[str, Any] = {
    "size_type": "percent",
    "direction": "longonly",
    "fixed_fees": 0.0,
    "min_size": 1e-8,
    "max_size": np.inf,
    "size_granularity": np.nan,
    "reject_prob": 0.0,
    "lock_cash": False,
    "allow_partial": True,
    "raise_reject": False,
    "log": False,
    "accumulate": False,
    "upon_long_conflict": "exit",
    "upon_short_conflict": "exit",
    "upon_dir_conflict": "ignore",
    "upon_opposite_entry": "ignore",
    "val_price": np.inf,
    "sl_stop": np.nan,
    "sl_trail": False,
    "tp_stop": np.nan,
    "use_stops": False,
    "cash_sharing": False,
    "call_seq": "default",
    "ffill_val_price": True,
    "update_value": False,
    "seed": None,
    "group_by": False,
    "freq": "D",
}


def layout(record: np.dtype[Any]) -> str:
    """Return the names, types, offsets and size of a record."""
    return f"{record.itemsize} {record.alignment} {dict(record.fields or {})}"


def python(code: str, *options: str) -> str:
    """Return what a fresh Python prints that runs the code in the project's folder."""
    done = subprocess.run([sys.executable, *options, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NDArray[Any]]:
    """What the kernels of a usual process answer."""
    return written_by("write_ours", "", tmp_path_factory)


@pytest.fixture(scope="module")
def numba(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NDArray[Any]]:
    """What the kernels of a process answer that cannot import the Rust ones."""
    return written_by("write_ours", "import sys; sys.modules['vectorbt_rust'] = None", tmp_path_factory)


@pytest.fixture(scope="module")
def portfolios(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NDArray[Any]]:
    """What vectorbt's own front answers."""
    return written_by("write_portfolios", "", tmp_path_factory)


def written_by(function: str, first: str, folders: pytest.TempPathFactory) -> dict[str, NDArray[Any]]:
    path = folders.mktemp(function) / "answers.npz"
    python(f"{first}\nfrom tests.test_vectorbt_kernels import {function}; {function}({str(path)!r})")
    with np.load(path) as answers:
        return dict(answers)


def differing(ours: dict[str, NDArray[Any]], theirs: dict[str, NDArray[Any]]) -> list[str]:
    """Return the names of the answers that differ in any bit."""
    names = [f"{what}{number}" for what in ("orders", "equity") for number in range(CONFIGURATIONS)]
    return [name for name in names if bits(ours[name]) != bits(theirs[name])]


def bits(answer: NDArray[Any]) -> list[bytes]:
    """Return each column's bytes, without the padding of records."""
    if answer.dtype.names is None:
        return [answer.tobytes()]
    return [name.encode() + np.ascontiguousarray(answer[name]).tobytes() for name in answer.dtype.names]


def test_a_usual_process_answers_with_the_rust_kernels(light: dict[str, NDArray[Any]]) -> None:
    assert light["kernels"] == "vectorbt-rust"
    assert sum(len(light[f"orders{number}"]) for number in range(CONFIGURATIONS)) > 5000


def test_orders_and_equity_equal_those_of_vectorbts_portfolio_bit_for_bit(
    light: dict[str, NDArray[Any]], portfolios: dict[str, NDArray[Any]]
) -> None:
    assert differing(light, portfolios) == []


def test_without_the_rust_package_numba_answers_the_same_bit_for_bit(
    light: dict[str, NDArray[Any]], numba: dict[str, NDArray[Any]]
) -> None:
    assert numba["kernels"] == "vectorbt-numba"
    assert differing(light, numba) == []


def test_both_kernels_give_the_golden_final_capital(
    light: dict[str, NDArray[Any]], numba: dict[str, NDArray[Any]]
) -> None:
    assert light["golden"] == pytest.approx(GOLDEN_FINAL, rel=1e-13)
    assert numba["golden"] == light["golden"]


def test_our_record_layouts_are_those_of_the_installed_vectorbt(portfolios: dict[str, NDArray[Any]]) -> None:
    ours = [layout(record_dtype(fields)) for records in RECORD_FIELDS.values() for fields in records.values()]

    assert portfolios["layouts"].tolist() == ours


def test_a_run_imports_neither_vectorbt_nor_pandas_nor_numba() -> None:
    code = """
import sys
from tests.fixtures.in_memory import Desk
from tests.fixtures.series import p_bars
Desk(p_bars()).run()
print([name for name in ("pandas", "numba", "plotly", "scipy") if name in sys.modules])
print([name for name, module in sys.modules.items() if "vectorbt." in name + "." and hasattr(module, "__file__")])
"""

    assert python(code, "-W", "error").splitlines() == ["[]", "[]"]


def test_where_vectorbt_is_already_imported_its_own_records_serve_as_well(
    light: dict[str, NDArray[Any]], portfolios: dict[str, NDArray[Any]]
) -> None:
    assert portfolios["kernels"] == "vectorbt-rust"
    assert portfolios["golden"] == light["golden"]
