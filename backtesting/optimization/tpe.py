"""Sets proposed by what earlier ones came to: the tree-structured Parzen estimator of Optuna, an optional extra.

Bergstra and others, "Algorithms for Hyper-Parameter Optimization" (2011). Each round is a function of the stored ones
before it and of the seed, so that a search that was interrupted goes on as if it had not been.
"""

from importlib.util import find_spec
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from backtesting.errors import BacktestError
from backtesting.late import Late
from backtesting.optimization.lattice import Lattice
from backtesting.types import Floats, Integers

if TYPE_CHECKING:
    import optuna
else:
    optuna = Late("optuna")  # a second, for this method alone

SETS_OF_A_ROUND, MOST_TRIALS = 25, 2000
MOST_ASKED = 3  # times what a round needs, for a proposal may be no set or a repeated one


def require_optuna() -> None:
    """Refuse where the extra is not installed."""
    if find_spec("optuna") is None:
        raise BacktestError(
            "method: tpe needs Optuna, which is not installed: `pip install optuna`, or use method random",
            field="method",
        )


class Proposer:
    """Proposes sets of a grid by their place on the lattice."""

    def __init__(self, lattice: Lattice, sets: int, seed: int) -> None:
        self._axes, self._seed, self._sets = lattice.axes, seed, sets
        self._shape = tuple(len(axis.values) for axis in self._axes.values())
        codes = np.ravel_multi_index([axis.places for axis in self._axes.values()], self._shape)
        self._order = np.argsort(codes, kind="stable")
        self._codes = codes[self._order]
        self._ranges: dict[str, Any] = {
            name: optuna.distributions.IntDistribution(0, len(axis.values) - 1)
            if axis.is_ordered
            else optuna.distributions.CategoricalDistribution(range(len(axis.values)))
            for name, axis in self._axes.items()
        }

    def proposed(self, number: int, tried: Integers, scores: Floats, count: int) -> Integers:
        """Return `count` sets for a round that were not tried before; what the estimator repeats is drawn anew."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        state = np.random.SeedSequence([self._seed, number]).generate_state(1).item()
        sampler = optuna.samplers.TPESampler(seed=state)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.add_trials([self._trial(each, scores[each]) for each in tried.tolist()])
        known, found = set(tried.tolist()), list[int]()
        for _ in range(count * MOST_ASKED):
            if len(found) == count:
                break
            asked = study.ask(self._ranges)
            proposal = self._number(asked.params)
            if proposal is not None and proposal not in known:
                known.add(proposal)
                found.append(proposal)
            study.tell(asked, state=optuna.trial.TrialState.FAIL)
        rest = np.setdiff1d(np.arange(self._sets), np.fromiter(known, np.int64, len(known)))
        drawn = np.random.default_rng(state).choice(rest, count - len(found), replace=False)
        return np.sort(np.concatenate([np.array(found, np.int64), drawn]))

    def _trial(self, number: int, score: float) -> Any:
        """Tell of a set that was tried; one that may not win is one the estimator learns to avoid."""
        may_win = np.isfinite(score)
        return optuna.trial.create_trial(
            state=optuna.trial.TrialState.COMPLETE if may_win else optuna.trial.TrialState.PRUNED,
            value=score if may_win else None,
            params={name: int(axis.places[number]) for name, axis in self._axes.items()},
            distributions=self._ranges,
        )

    def _number(self, places: dict[str, int]) -> int | None:
        """Return the set at these places; None where the grid has none there."""
        code = np.ravel_multi_index([places[name] for name in self._axes], self._shape)
        at = int(np.searchsorted(self._codes, code))
        return int(self._order[at]) if at < prod(self._codes.shape) and self._codes[at] == code else None
