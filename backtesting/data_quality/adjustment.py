"""Adjustment: the adjusted close a source gives, or the one its splits and dividends make."""

import numpy as np

from backtesting.data_quality.ledger import Kind, Ledger
from backtesting.types import Booleans, Floats, PriceRows, Severity

PARTIAL = Kind(
    "partial_adjustment", Severity.WARNING, "{rows} ({share}) without adj_close: it is dropped, raw prices are used"
)
FROM_ACTIONS = Kind(
    "adjusted_from_actions",
    Severity.REMARK,
    "adj_close is computed from splits and dividends on {rows}, taking the prices as traded",
)
ALREADY = Kind(
    "already_adjusted",
    Severity.REMARK,
    "prices do not jump at the splits given on {rows}: they are adjusted already, and are stored as they are",
)
INVALID = Kind(
    "invalid_actions",
    Severity.ERROR,
    "{rows} with a split or dividend that cannot be: ratios are above zero, "
    "dividends from zero to below the close before",
)
AFTER_FIRST_PART = Kind(
    "actions_in_parts", Severity.ERROR, "splits and dividends on {rows} come after bars already stored: give adj_close"
)
ACTIONS_LOST = Kind(
    "actions_lost", Severity.ERROR, "{rows} with a split or dividend are unusable, so those before cannot be adjusted"
)
CHANGING = Kind("adjustment_changes", Severity.ERROR, "{rows} lack adj_close, or have it, unlike those before")


def adj_close_of(rows: PriceRows, ledger: Ledger) -> Floats | None:
    """Return the adjusted close of sorted rows, None where only raw prices are known."""
    if rows.adj_close is not None:
        lacking = np.isnan(rows.adj_close)
        if not lacking.any():
            return rows.adj_close
        if not lacking.all():
            ledger.add(PARTIAL, int(lacking.sum()), rows.line[lacking])
            return None
    if rows.splits is None and rows.dividends is None:
        return None
    return _from_actions(rows, ledger)


def actions_on(rows: PriceRows) -> Booleans:
    """Tell the rows with a split or a dividend."""
    ratio, dividend = _actions(rows)
    acted: Booleans = (ratio != 1) | (dividend != 0)
    return acted


def _from_actions(rows: PriceRows, ledger: Ledger) -> Floats | None:
    ratio, dividend = _actions(rows)
    acted = actions_on(rows)
    invalid = _invalid(rows, ratio, dividend)
    if invalid.any():
        ledger.add(INVALID, int(invalid.sum()), rows.line[invalid])
        return None
    if _adjusted_already(rows, ratio):
        split = ratio != 1
        ledger.add(ALREADY, int(split.sum()), rows.line[split])
        return None
    ledger.add(FROM_ACTIONS, int(acted.sum()), rows.line[acted])
    return backward_adjusted(rows.close, ratio, dividend)


def backward_adjusted(close: Floats, ratio: Floats, dividend: Floats) -> Floats:
    """Multiply each close by the factors of all later days: 1 / ratio and 1 - dividend / the close before.

    These are the multipliers "adhering to CRSP standards" of Yahoo (help.yahoo.com/kb/SLN28256.html); where both fall
    on one day the dividend is one per new share.
    """
    before = np.concatenate([close[:1], close[:-1]])
    factor = (1 - dividend * ratio / before) / ratio
    later = np.cumprod(factor[:0:-1])[::-1]
    adjusted: Floats = close * np.append(later, 1.0)
    return adjusted


def _actions(rows: PriceRows) -> tuple[Floats, Floats]:
    """Return split ratios, 1 where there is none, and dividends; sources write 0 or nothing for no split."""
    nothing = np.zeros(len(rows))
    ratio = np.nan_to_num(nothing if rows.splits is None else rows.splits, nan=0.0, posinf=-1.0)
    dividend = np.nan_to_num(nothing if rows.dividends is None else rows.dividends, nan=0.0, posinf=-1.0)
    return np.where(ratio == 0, 1.0, ratio), dividend


def _invalid(rows: PriceRows, ratio: Floats, dividend: Floats) -> Booleans:
    before = np.concatenate([[np.inf], rows.close[:-1]])
    invalid: Booleans = (ratio < 0) | (dividend < 0) | (dividend * ratio >= before)
    return invalid


def _adjusted_already(rows: PriceRows, ratio: Floats) -> bool:
    """Tell whether prices at the splits are nearer to not jumping than to jumping by the ratios."""
    given = np.log(ratio[1:])
    jump = np.log(rows.close[:-1] / rows.open[1:])
    return bool((given * jump).sum() < (given**2).sum() / 2)
