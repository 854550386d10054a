"""What makes a result repeatable: hashes of its request and of its data, and the versions that computed it (P1, P2)."""

import json
import platform
from functools import cache, lru_cache
from hashlib import sha256

import numpy as np

from backtesting import CONTRACT_VERSION, VERSION
from backtesting.types import Adjustment, Asset, BacktestRequest, Bars
from backtesting.vectorbt_kernels import engine_versions, load_kernels

ROWS_AT_ONCE = 4096  # they fit into a processor's cache
LATEST_HASHES = 8
CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@lru_cache(maxsize=LATEST_HASHES)
def data_hash(bars: Bars, adjustment: Adjustment) -> str:
    """Return the SHA-256 of the bars used, row by row, little-endian, and of their adjustment (P2)."""
    columns = (bars.time.view(np.float64), *bars.ohlcv)
    rows, found = np.empty((ROWS_AT_ONCE, len(columns)), "<f8"), sha256()
    for first in range(0, len(bars), ROWS_AT_ONCE):
        count = min(ROWS_AT_ONCE, len(bars) - first)
        for place, column in enumerate(columns):
            rows[:count, place] = column[first : first + count]
        found.update(rows[:count].data)
    found.update(adjustment.encode())
    return found.hexdigest()


def config_hash(request: BacktestRequest) -> str:
    """Return the SHA-256 of the request as canonical JSON: sorted keys, no spaces, shortest floats (P2)."""
    return sha256(CANONICAL.encode(request.model_dump(mode="json")).encode()).hexdigest()


def market_of(asset: Asset) -> dict[str, str | None]:
    """Return what of the asset takes part in a number: it decides sessions, the year and the costs assumed."""
    return {"asset_class": asset.asset_class.value, "exchange": asset.exchange}


@cache
def versions() -> dict[str, str]:
    """Return the versions of everything that takes part in a number."""
    return {
        "backtesting-mcp": VERSION,
        "contract": CONTRACT_VERSION,
        "engine": load_kernels().name,
        **engine_versions(),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
