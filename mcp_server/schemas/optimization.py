"""The shape of an optimisation: its figures to the last bit, everything beside them in few digits."""

from collections.abc import Mapping
from typing import Any


def optimization_result(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result; a row's `train` and `holdout` are in the order of `columns`, unrounded as of a single run.

    `stability` is the share of a set's advantage over the median set that its neighbours have: 1 is a plateau. The
    surface has the best of `metric` over all parameters that are not its sides.
    """
    surface = result["surface"]
    best = [[_short(each) for each in row] for row in surface["best"]]
    return {**result, "typical": {name: _short(each) for name, each in result["typical"].items()}} | {
        "dsr": _short(result["dsr"]),
        "luckiest_sharpe": _short(result["luckiest_sharpe"]),
        "top": [row | {"stability": _short(row["stability"])} for row in result["top"]],
        "surface": {**surface, "best": best},
    }


def _short(number: Any) -> Any:
    return float(f"{number:.3g}") if isinstance(number, float) else number
