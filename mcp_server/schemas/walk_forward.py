"""The shape of a walk-forward: its figures, and a page of its windows as short rows."""

from collections.abc import Mapping
from typing import Any

from backtesting.reporting.walk_forward import WINDOWS_SHOWN

COLUMNS = ("test_from", "chosen", "train_sharpe", "test_sharpe", "test_return", "test_trades", "backtest_id")
FIGURES = (
    "verdict",
    "sentence",
    "efficiency",
    "positive_windows",
    "idle_windows",
    "changed",
    "sets",
    "trials_counted",
    "unused_sessions",
)
METRICS = (
    "total_return",
    "annual_return",
    "sharpe_ratio",
    "max_drawdown",
    "psr",
    "total_trades",
    "win_rate",
    "profit_factor",
    "benchmark_return",
    "benchmark_sharpe",
    "benchmark_max_drawdown",
)


def walk_forward_result(result: Mapping[str, Any], offset: int) -> dict[str, Any]:
    """Return the result with the windows from number `offset` on; `chosen` is in the order of `drift`."""
    windows = result["windows"]
    following = offset + WINDOWS_SHOWN
    return {
        **{name: _short(result[name]) for name in FIGURES},
        "doubts": [code for code, _ in result["doubts"]],
        "metrics": {name: _short(result["metrics"][name]) for name in METRICS},
        "undefined": result["undefined"],
        "drift": {name: [_short(each["changed"]), _short(each["mean_step"])] for name, each in result["drift"].items()},
        "columns": COLUMNS,
        "windows": [_row(row) for row in windows[offset:following]],
        "total": len(windows),
        "next_offset": following if following < len(windows) else None,
    }


def _row(row: Mapping[str, Any]) -> list[Any]:
    chosen = list(row["parameters"].values()) if row["parameters"] else None
    numbers = [_short(row[name]) for name in ("train_sharpe", "test_sharpe", "test_return", "test_trades")]
    return [row["test"][0], chosen, *numbers, row["backtest_id"]]


def _short(number: Any) -> Any:
    return float(f"{number:.4g}") if isinstance(number, float) else number
