"""What the ledger keeps of many parameter sets that were evaluated together."""

from hashlib import sha256

import numpy as np

from backtesting.data_loader import LoadedBars
from backtesting.evaluation import Plan, year_of
from backtesting.parameter_grid import ParameterGrid
from backtesting.provenance import CANONICAL, config_hash, data_hash
from backtesting.types import Floats, Trial


def trial_of(plan: Plan, loaded: LoadedBars, part: ParameterGrid, sharpes: Floats, job_id: str) -> Trial:
    """Return the record of the sets of a part of a grid; the same ones on the same bars have the same hashes.

    `sharpes` are their annual Sharpe ratios, (sets,), NaN where undefined.
    """
    found = sha256(config_hash(plan.request.model_copy(update={"parameters": {}})).encode())
    found.update(CANONICAL.encode({**part.fixed, "among": list(part.columns)}).encode())
    for column in part.columns.values():
        found.update(column.tobytes() if column.dtype != object else CANONICAL.encode(column.tolist()).encode())
    hashes = data_hash(loaded.bars, loaded.adjustment), found.hexdigest()
    sessions = len(np.unique(loaded.session[loaded.history :]))
    a_session = sharpes / np.sqrt(year_of(plan, loaded).periods)
    return Trial.of_sets(plan.request, hashes, a_session, sessions, job_id)
