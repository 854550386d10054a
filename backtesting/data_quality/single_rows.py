"""What makes a single row unusable, whatever the others say: such rows are left out."""

from collections.abc import Callable, Iterable
from functools import reduce

import numpy as np

from backtesting.data_quality.ledger import Kind
from backtesting.types import Booleans, Floats, PriceRows, Severity

TOLERANCE = 1e-9
LEFT_OUT = Severity.WARNING


def missing_price(rows: PriceRows) -> Booleans:
    """Tell the rows where open, high, low or close is empty."""
    return _any(np.isnan(price) for price in _prices(rows))


def infinite(rows: PriceRows) -> Booleans:
    """Tell the rows with a price or volume beyond all numbers."""
    adjusted = () if rows.adj_close is None else (rows.adj_close,)
    return _any(np.isinf(column) for column in (*_prices(rows), rows.volume, *adjusted))


def non_positive_price(rows: PriceRows) -> Booleans:
    """Tell the rows with a price of zero or less."""
    return _any(price <= 0 for price in _prices(rows))


def high_too_low(rows: PriceRows) -> Booleans:
    """Tell the rows whose high is below open or close."""
    return rows.high < np.maximum(rows.open, rows.close) * (1 - TOLERANCE)


def low_too_high(rows: PriceRows) -> Booleans:
    """Tell the rows whose low is above open or close."""
    return rows.low > np.minimum(rows.open, rows.close) * (1 + TOLERANCE)


def negative_volume(rows: PriceRows) -> Booleans:
    """Tell the rows with less than no volume."""
    return rows.volume < 0


def non_positive_adj_close(rows: PriceRows) -> Booleans:
    """Tell the rows with an adjusted close of zero or less."""
    return np.zeros(len(rows), np.bool_) if rows.adj_close is None else rows.adj_close <= 0


ROW_RULES: tuple[tuple[Kind, Callable[[PriceRows], Booleans]], ...] = (
    (Kind("missing_price", LEFT_OUT, "{rows} without open, high, low or close, left out"), missing_price),
    (Kind("infinite_value", LEFT_OUT, "{rows} with an infinite price or volume, left out"), infinite),
    (Kind("non_positive_price", LEFT_OUT, "{rows} with a price of zero or less, left out"), non_positive_price),
    (Kind("high_too_low", LEFT_OUT, "{rows} whose high is below open or close, left out"), high_too_low),
    (Kind("low_too_high", LEFT_OUT, "{rows} whose low is above open or close, left out"), low_too_high),
    (Kind("negative_volume", LEFT_OUT, "{rows} of negative volume, left out"), negative_volume),
    (
        Kind("non_positive_adj_close", LEFT_OUT, "{rows} with adj_close of zero or less, left out"),
        non_positive_adj_close,
    ),
)


def _prices(rows: PriceRows) -> tuple[Floats, Floats, Floats, Floats]:
    return rows.open, rows.high, rows.low, rows.close


def _any(masks: Iterable[Booleans]) -> Booleans:
    return reduce(np.logical_or, masks)
