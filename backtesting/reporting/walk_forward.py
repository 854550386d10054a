"""A walk-forward in plain text: what it made on data it had not seen, window by window, and whether to believe it."""

from collections.abc import Mapping, Sequence
from typing import Any

from backtesting.reporting.text import table, value
from backtesting.types import Job

WINDOWS_SHOWN = 5
BESIDE = (
    ("total return", "total_return", "benchmark_return"),
    ("Sharpe ratio", "sharpe_ratio", "benchmark_sharpe"),
    ("max drawdown", "max_drawdown", "benchmark_max_drawdown"),
)
FLAT = "Each window starts flat and is closed at its end, costs included; what it makes is compounded."
COLUMNS = ("window from", "chosen", "Sharpe before", "and then", "return", "trades", "run")


def walk_forward_lines(job: Job, offset: int = 0) -> list[str]:
    """Return the report of a completed walk-forward, with a page of its windows."""
    result = job.result or {}
    windows = result["windows"]
    shown, following = windows[offset : offset + WINDOWS_SHOWN], offset + WINDOWS_SHOWN
    more = f"more windows: get_backtest_status('{job.id}', offset={following}); " if following < len(windows) else ""
    return [
        headline(job),
        *table([("out of sample", "strategy", "buy and hold"), *(_beside(result, row) for row in BESIDE)]),
        *_figures(result),
        *(table([COLUMNS, *map(_row, shown)]) if shown else []),
        f"Believe it? {result['sentence']}",
        *(f"- {code}: {told}" for code, told in result["doubts"]),
        FLAT,
        f"{more}its runs: list_backtests(tag='{job.id}'); picture: plot_backtest('{job.id}', kind='walk_forward')",
    ]


def headline(job: Job) -> str:
    """Return what was walked through, on one line."""
    request, windows = job.request["request"], (job.result or {})["windows"]
    return (
        f"{request['strategy_id']} on {request['asset_symbol']} {request['timeframe']}, {len(windows)} windows, tested "
        f"{windows[0]['test'][0]} to {windows[-1]['test'][1]}"
    )


def _beside(result: Mapping[str, Any], row: tuple[str, str, str]) -> tuple[str, str, str]:
    label, own, held = row
    return label, _metric(result, own), _metric(result, held)


def _figures(result: Mapping[str, Any]) -> list[str]:
    windows: Sequence[Mapping[str, Any]] = result["windows"]
    positive = sum((row["test_return"] or 0.0) > 0 for row in windows)
    told = {key: _metric(result, key) for key in ("annual_return", "psr", "total_trades", "win_rate")}
    kept = result["efficiency"]
    efficiency = f"none ({result['undefined']['efficiency']})" if kept is None else f"{kept:.0%}"
    trades = f"trades: {told['total_trades']}, won {told['win_rate']}"
    idle = f"{result['idle_windows']} stayed in cash"
    return [
        f"a year: {told['annual_return']}; true Sharpe ratio above 0: {told['psr']}; {trades}",
        f"{positive} of {len(windows)} windows made money, {idle}",
        f"efficiency, the annual return kept from training: {efficiency}",
        f"parameters changed in {_share(result['changed'])} of steps: {_drift(result['drift'])}",
        f"{result['sets']:,} sets a window; {result['trials_counted']:,} configurations tried on this market so far",
    ]


def _drift(drift: Mapping[str, Mapping[str, float | None]]) -> str:
    return "; ".join(
        f"{name} in {_share(each['changed'])}, by {_share(each['mean_step'])} of its range"
        for name, each in drift.items()
    )


def _share(fraction: float | None) -> str:
    return "none" if fraction is None else f"{fraction:.0%}"


def _metric(result: Mapping[str, Any], key: str) -> str:
    return value(key, result["metrics"][key], result["undefined"].get(key, "undefined"))


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    chosen = "/".join(map(str, row["parameters"].values())) if row["parameters"] else "none"
    numbers = [_ratio(row["train_sharpe"]), _ratio(row["test_sharpe"])]
    made = "cash" if row["test_return"] is None else f"{row['test_return']:.1%}"
    return row["test"][0], chosen, *numbers, made, str(row["test_trades"] or 0), row["backtest_id"] or "-"


def _ratio(number: float | None) -> str:
    return "-" if number is None else f"{number:.2f}"
