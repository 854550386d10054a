"""The shapes of what is said of a replay and of a trade."""

from dataclasses import asdict
from typing import Any, Self

from pydantic import BaseModel

from backtesting.types import Explanation, Verification

MOST_CHANGES, MOST_METRICS = 12, 20


class VerificationReply(BaseModel):
    """A stored run beside its replay.

    `changes` holds `causes` and `effects`, each of what, then, now, the first 20 `metrics` as [name, then, now], and
    how many metrics changed.
    """

    backtest_id: str
    identical: bool
    changes: dict[str, Any]

    @classmethod
    def of(cls, found: Verification) -> Self:
        """Shape what was found."""
        changes = {
            "causes": [asdict(each) for each in found.causes[:MOST_CHANGES]],
            "effects": [asdict(each) for each in found.effects[:MOST_CHANGES]],
            "metrics": [[each.name, each.then, each.now] for each in found.metrics[:MOST_METRICS]],
            "metrics_changed": len(found.metrics),
        }
        return cls(backtest_id=found.run_id, identical=found.identical, changes=changes)


class ExplanationReply(BaseModel):
    """Why a trade was made: `why` has the fields of `Explanation`; what cannot be told any more is null.

    Indicators are pairs, the bar before and the deciding bar; a fill's bar is open, high, low, close.
    """

    backtest_id: str
    trade: dict[str, Any]
    why: dict[str, Any]

    @classmethod
    def of(cls, found: Explanation) -> Self:
        """Shape an explanation."""
        told = asdict(found)
        run_id, trade = told.pop("run_id"), told.pop("trade")
        return cls(backtest_id=run_id, trade=trade, why=told | {"changes": told["changes"][:MOST_CHANGES]})
