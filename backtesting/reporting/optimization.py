"""An optimisation in plain text: the verdict first, then the best sets and the surface."""

from collections.abc import Mapping, Sequence
from typing import Any

from backtesting.reporting.text import table
from backtesting.types import Job


def optimization_lines(job: Job) -> list[str]:
    """Return what an optimisation came to."""
    result = job.result or {}
    return [
        result["verdict"],
        _tried(result),
        _line(result),
        *table([[_names(result), *_heading(result), "stability"], *(_row(row, result) for row in result["top"])]),
        *_surface(result["surface"]),
        f"The winner over the whole period: get_backtest_results('{result['backtest_id']}')",
    ]


def _tried(result: Mapping[str, Any]) -> str:
    typical, sets, metric = result["typical"], result["sets"], result["surface"]["metric"]
    return (
        f"{sets['tried']:,} of {sets['possible']:,} sets tried ({result['method']}), {sets['eligible']:,} could win; "
        f"{metric} of the best {typical['best']:.4g}, of the median {typical['median']:.4g}; "
        f"{typical['gained']:.0%} made money"
    )


def _line(result: Mapping[str, Any]) -> str:
    spans = [_span(name, span) for name, span in result["periods"].items()]
    deflated = "undefined" if result["dsr"] is None else f"{result['dsr']:.2f}"
    return (
        f"{', '.join(spans)}; deflated Sharpe {deflated}: the luckiest of {result['trials_counted']:,} trials without "
        f"skill would show {result['luckiest_sharpe']:.2f}"
    )


def _span(name: str, span: Mapping[str, Any]) -> str:
    """Return the days of a period, and the first it trades where the longest warm-up makes that later."""
    traded = f" (traded from {span['trade_from']})" if span.get("trade_from") else ""
    return f"{name} {span['start_date']} to {span['end_date']}{traded}"


def _heading(result: Mapping[str, Any]) -> list[str]:
    return [f"{period} {', '.join(_shown(result))}" for period in result["periods"]]


def _shown(result: Mapping[str, Any]) -> Sequence[str]:
    """Return what the search looked for, and one more."""
    usual = [name for name in result["columns"] if name not in {"max_drawdown", "total_trades"}]
    return list(dict.fromkeys([result["surface"]["metric"], *usual]))[:2]


def _names(result: Mapping[str, Any]) -> str:
    return "/".join(result["top"][0]["parameters"])


def _row(row: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
    places = [result["columns"].index(name) for name in _shown(result)]
    figures = [_cell(row.get(period), places) for period in result["periods"]]
    return ["/".join(map(str, row["parameters"].values())), *figures, _number(row["stability"])]


def _cell(figures: Any, places: Sequence[int]) -> str:
    return ", ".join(_number(figures[place]) for place in places) if isinstance(figures, list) else "failed"


def _surface(surface: Mapping[str, Any]) -> list[str]:
    """Return the surface; a line of one row has no name for it."""
    across = f", {surface['columns']} across" + (f", {surface['rows']} down" if surface["rows"] else "")
    rows = [[label, *map(_number, row)] for label, row in zip(surface["row_values"], surface["best"], strict=True)]
    return [f"best {surface['metric']} on train{across}", *table([["", *surface["column_values"]], *rows])]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
