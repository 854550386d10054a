"""What an optimisation answers: winners, their neighbours, the surface and the verdict, in a few kilobytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backtesting.objective import LESS_IS_BETTER
from backtesting.optimization.lattice import Lattice
from backtesting.optimization.luck import Luck
from backtesting.optimization.request import OptimizationRequest
from backtesting.optimization.scoreboard import Scoreboard
from backtesting.optimization.study import Study
from backtesting.types import BacktestRequest, MetricValue, Summary

SHOWN = ("sharpe_ratio", "total_return", "max_drawdown", "total_trades")


@dataclass(frozen=True, slots=True, eq=False)
class Finalist:
    """One of the best sets, run in full on train and holdout; of the holdout the reason where that failed."""

    number: int
    train: Summary
    holdout: Summary | str | None


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Everything the result is made of."""

    asked: OptimizationRequest
    study: Study
    board: Scoreboard
    finalists: Sequence[Finalist]
    luck: Luck
    run_id: str
    job_id: str

    def result(self) -> dict[str, Any]:
        """Return the result as JSON."""
        luck, lattice, scores = self.luck, Lattice(self.study.grid), self.board.scores()
        columns = tuple(dict.fromkeys((*self.asked.objective.metrics, *SHOWN)))
        sign = -1 if self.asked.metric in LESS_IS_BETTER else 1
        return {
            "backtest_id": self.run_id,
            "tag": self.job_id,
            "verdict": luck.sentence,
            "distinguishable": luck.is_distinguishable,
            "dsr": luck.deflated,
            "trials_counted": luck.trials,
            "luckiest_sharpe": luck.luckiest,
            "method": self.asked.method,
            "sets": self._sets(scores),
            "periods": self._periods(),
            "fixed": dict(self.study.grid.fixed),
            "columns": list(columns),
            "top": [self._row(each, columns, lattice, scores, sign) for each in self.finalists],
            "typical": self._typical(scores, sign),
            "surface": {"metric": self.asked.metric} | lattice.surface(scores, sign),
        }

    def _sets(self, scores: Any) -> dict[str, int]:
        tried = self.board.tried
        return {
            "tried": len(tried),
            "eligible": int(np.count_nonzero(~np.isnan(scores))),
            "possible": len(self.study.grid),
            "skipped": self.study.grid.skipped,
        }

    def _periods(self) -> dict[str, Any]:
        train = _period(self.study.plan.request)
        return {"train": train, **({"holdout": _period(self.study.holdout)} if self.study.holdout else {})}

    def _row(self, each: Finalist, columns: Sequence[str], lattice: Lattice, scores: Any, sign: int) -> dict[str, Any]:
        near = lattice.neighbourhood(each.number, self.board.tried, scores)
        return {
            "parameters": self.study.grid.own(each.number),
            "train": _figures(each.train, columns),
            **({} if each.holdout is None else {"holdout": _figures(each.holdout, columns)}),
            "neighbours": near.count,
            "neighbours_median": None if near.median is None else _short(sign * near.median),
            "stability": None if near.stability is None else _short(near.stability),
        }

    def _typical(self, scores: Any, sign: int) -> dict[str, Any]:
        """Return the best beside the median of all sets that may win, and the share of all that made money."""
        returns = self.board.column("total_return")[self.board.tried]
        return {
            "best": sign * float(np.nanmax(scores)),
            "median": sign * float(np.nanmedian(scores)),
            "gained": float(np.mean(np.nan_to_num(returns) > 0)),
        }


def best_so_far(study: Study, board: Scoreboard) -> Mapping[str, Any] | None:
    """Return the best set until now, to be told with the progress."""
    if board.best is None:
        return None
    metric = board.objective.metric
    return {"parameters": study.grid.own(board.best), metric: float(board.column(metric)[board.best])}


def _period(request: BacktestRequest) -> dict[str, Any]:
    """Return what of a request repeats the figures: its days and how it is warmed up."""
    told: dict[str, Any] = {"start_date": str(request.start_date), "end_date": str(request.end_date)}
    told["history_bars"] = request.history_bars
    return told | ({"trade_from": str(request.trade_from)} if request.trade_from else {})


def _figures(summary: Summary | str, columns: Sequence[str]) -> list[MetricValue] | str:
    return summary if isinstance(summary, str) else [summary.metrics[name] for name in columns]


def _short(value: float) -> float:
    return float(f"{value:.4g}")
