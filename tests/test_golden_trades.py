"""Every strategy, fill rule and cost setting on the samples against the trades of two other engines.

`fixtures/golden/trades/README.md` says which engines and how.
"""

import csv
import gzip
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from backtesting.strategies import STRATEGIES
from backtesting.types import Floats, Trades
from tests.fixtures.in_memory import Desk
from tests.fixtures.series import SAMPLE_SYMBOLS, sample_bars

LIST = Path(__file__).parent / "fixtures" / "golden" / "trades" / "trades.csv.gz"
FILLS = ("next_open", "next_close", "same_close")
COSTS: Mapping[str, Any] = {"zero": "zero", "us_equity": "us_equity", "dear": {"commission": 0.001, "slippage": 0.0005}}
IDS = [strategy.id() for strategy in STRATEGIES]
STILL_OPEN = -1

Setting = tuple[str, str, str, str]


class Columns(NamedTuple):
    """Entry bar, exit bar (-1 while open), shares, entry price, exit price (0 while open) of each trade."""

    entry_bar: Floats
    exit_bar: Floats
    shares: Floats
    entry_price: Floats
    exit_price: Floats


@cache
def golden() -> Mapping[Setting, Columns]:
    trades: dict[Setting, list[list[float]]] = defaultdict(list)
    with gzip.open(LIST, "rt", encoding="utf-8") as file:
        for symbol, strategy, fill, costs, *numbers in list(csv.reader(file))[1:]:
            trades[symbol, strategy, fill, costs].append([float(each or 0) for each in numbers])
    return {setting: Columns(*np.array(rows).T) for setting, rows in trades.items()}


@cache
def desk(symbol: str) -> Desk:
    return Desk(sample_bars(symbol))


def columns_of(trades: Trades) -> Columns:
    return Columns(
        trades.entry_bar.astype(float),
        np.where(trades.is_open, STILL_OPEN, trades.exit_bar).astype(float),
        trades.quantity,
        trades.entry_price,
        np.where(trades.is_open, 0.0, trades.exit_price),
    )


def test_the_list_holds_every_strategy_fill_rule_and_cost_setting_on_every_sample() -> None:
    assert golden().keys() == set(product(SAMPLE_SYMBOLS, IDS, FILLS, COSTS))
    assert sum(len(trades.shares) for trades in golden().values()) == 16_371


@pytest.mark.parametrize("setting", [*product(SAMPLE_SYMBOLS, IDS, FILLS, COSTS)], ids="-".join)
def test_trades_in_whole_shares_are_those_of_two_other_engines(setting: Setting) -> None:
    symbol, strategy, fill, costs = setting
    theirs = golden()[setting]

    ours = columns_of(desk(symbol).result(strategy, fill=fill, costs=COSTS[costs], lot_size=1).trades)

    for name in ("entry_bar", "exit_bar", "shares"):
        assert getattr(ours, name).tolist() == getattr(theirs, name).tolist()
    np.testing.assert_allclose(ours.entry_price, theirs.entry_price, rtol=1e-9)
    np.testing.assert_allclose(ours.exit_price, theirs.exit_price, rtol=1e-9)


@pytest.mark.parametrize("setting", [*product(SAMPLE_SYMBOLS, IDS, FILLS)], ids="-".join)
def test_fractions_of_shares_are_traded_at_the_same_bars_and_prices(setting: tuple[str, str, str]) -> None:
    symbol, strategy, fill = setting
    theirs = golden()[symbol, strategy, fill, "dear"]

    result = desk(symbol).result(strategy, fill=fill, costs=COSTS["dear"])
    ours = columns_of(result.trades)

    assert result.summary.provenance["engine"] == "vectorbt-rust"
    assert (ours.entry_bar.tolist(), ours.exit_bar.tolist()) == (theirs.entry_bar.tolist(), theirs.exit_bar.tolist())
    np.testing.assert_allclose(ours.entry_price, theirs.entry_price, rtol=1e-9)
    np.testing.assert_allclose(ours.exit_price, theirs.exit_price, rtol=1e-9)
