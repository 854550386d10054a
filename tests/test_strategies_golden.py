"""Decisions on the IBM sample, bar by bar, as other programs make them; the fixture says which."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backtesting.indicators import supertrend
from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from backtesting.types import Booleans
from tests.fixtures.series import sample_bars

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parent / "fixtures" / "golden" / "strategies_ibm.json").read_text(encoding="utf-8")
)
REGISTRY = StrategyRegistry(STRATEGIES)


def spans(decided: Booleans | None) -> str:
    """Return the bars that are true as the fixture writes them: alone, or first-last."""
    assert decided is not None
    bars = np.flatnonzero(decided)
    runs = [run for run in np.split(bars, np.flatnonzero(np.diff(bars) > 1) + 1) if len(run)]
    return " ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


@pytest.mark.parametrize("strategy_id", GOLDEN["strategies"])
def test_decisions_long_and_short_are_those_of_other_programs_at_every_bar(strategy_id: str) -> None:
    golden = GOLDEN["strategies"][strategy_id]
    strategy = REGISTRY.configure(strategy_id, golden["parameters"])[0]

    signals = strategy.signals(sample_bars("ibm").adjusted())

    for name in ("entries", "exits", "short_entries", "short_exits"):
        assert spans(getattr(signals, name)) == golden[name]


@pytest.mark.parametrize("strategy_id", GOLDEN["strategies"])
def test_the_golden_parameters_are_the_defaults(strategy_id: str) -> None:
    assert GOLDEN["strategies"][strategy_id]["parameters"] == REGISTRY.get(strategy_id).default_parameters()


def test_the_supertrend_line_is_talipps_once_its_first_bars_are_forgotten() -> None:
    bars = sample_bars("ibm").adjusted()

    line = supertrend(bars.high, bars.low, bars.close, 10, 3.0).line

    for bar, expected in GOLDEN["supertrend_lines"].items():
        assert line[int(bar)] == pytest.approx(expected, rel=1e-13)
