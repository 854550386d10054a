"""The curves of a report in few points, for the page's own script."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tsdownsample import MinMaxDownsampler

from backtesting.reporting.completed_run import CompletedRun
from backtesting.types import Floats, Integers

POINTS = 2000
NS_PER_SECOND = 1_000_000_000
DIGITS = 7


def curves(runs: Sequence[CompletedRun], points: int = POINTS) -> dict[str, Any]:
    """Return equity and drawdown of the runs and of buy and hold, in about so many points of all curves together."""
    return {"unit": runs[0].asset.currency if len(runs) == 1 else "growth of 1", "runs": _all(runs, points)}


def as_json(shown: Mapping[str, Any]) -> str:
    """Return text that may stand in a script element, whatever the names in it."""
    text = json.dumps(shown, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _all(runs: Sequence[CompletedRun], points: int) -> list[dict[str, Any]]:
    """Return each run's curves; buy and hold once for each series that was held."""
    told, held = [], set()
    for run in runs:
        request = run.run.request
        series = (request.asset_symbol, request.timeframe, request.start_date, request.end_date)
        told.append(_curves(run, points // len(runs), alone=len(runs) == 1, with_benchmark=series not in held))
        held.add(series)
    return told


def _curves(run: CompletedRun, points: int, *, alone: bool, with_benchmark: bool) -> dict[str, Any]:
    columns = {"equity": run.equity.value, "drawdown": run.growth.drawdown}
    if run.held is not None and with_benchmark:
        columns |= {"held": run.held.curve.value, "heldDrawdown": run.held.drawdown}
    kept = _kept(list(columns.values()), points // len(columns))
    scale = {"equity", "held"} if not alone else set()
    shown = {name: _rounded(each[kept] / (run.capital if name in scale else 1.0)) for name, each in columns.items()}
    name = "strategy" if alone else f"{run.run.id} {run.name}"
    return {
        "name": name,
        "heldName": "buy and hold" if alone else f"buy and hold {run.run.request.asset_symbol}",
        "time": (run.equity.time[kept] // NS_PER_SECOND).tolist(),
        **shown,
    }


def _kept(columns: list[Floats], points: int) -> Integers:
    """Return the numbers of the points in which one of the curves has its least or greatest value of a stretch."""
    count = len(columns[0])
    even = max(points // 2 * 2, 4)
    if count <= even:
        return np.arange(count)
    chosen = [MinMaxDownsampler().downsample(column, n_out=even).astype(np.int64) for column in columns]
    return np.unique(np.concatenate([[0, count - 1], *chosen]))


def _rounded(values: Floats) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in values.tolist()]
