"""Every indicator that can be asked for by name keeps its word about the bars it needs."""

import numpy as np
import pytest

from backtesting.indicator_table import INDICATORS, chosen
from tests.fixtures.series import sample_bars


@pytest.mark.parametrize("name", INDICATORS)
def test_all_lines_are_defined_from_the_bar_after_the_warm_up(name: str) -> None:
    asked = chosen(name)
    bars = sample_bars("ibm")

    lines = np.stack([*asked.lines(bars).values()])

    defined = np.isfinite(lines).all(axis=0)
    assert int(np.argmax(defined)) == asked.history - asked.indicator.unstable
    assert defined[np.argmax(defined) :].all()


@pytest.mark.parametrize("name", INDICATORS)
def test_the_history_asked_for_is_enough_for_the_value_all_bars_give(name: str) -> None:
    asked = chosen(name)
    bars = sample_bars("ibm")

    whole = [line[2000] for line in asked.lines(bars).values()]
    loaded = [line[-1] for line in asked.lines(bars[2000 - asked.history : 2001]).values()]

    assert loaded == pytest.approx(whole, rel=1e-5)


def test_what_is_left_out_has_its_default() -> None:
    assert [chosen(text).label for text in (" RSI ", "macd:5", "sma:7")] == ["rsi:14", "macd:5:26:9", "sma:7"]
