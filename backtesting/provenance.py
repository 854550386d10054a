"""What makes a result repeatable: hashes of its request and of its data, and the versions that computed it (P1, P2)."""

import json
import platform
from functools import cache
from hashlib import sha256

import numpy as np

from backtesting import CONTRACT_VERSION, VERSION
from backtesting.types import Adjustment, BacktestRequest, Bars
from backtesting.vectorbt_kernels import engine_versions, load_kernels

ROW = np.dtype([("time", "<i8"), *((name, "<f8") for name in ("open", "high", "low", "close", "volume"))])


def data_hash(bars: Bars, adjustment: Adjustment) -> str:
    """Return the SHA-256 of the bars used, row by row, little-endian, and of their adjustment (P2)."""
    rows = np.empty(len(bars), ROW)
    for name, column in zip(ROW.names or (), (bars.time, *bars.ohlcv), strict=True):
        rows[name] = column
    return sha256(rows.tobytes() + adjustment.encode()).hexdigest()


def config_hash(request: BacktestRequest) -> str:
    """Return the SHA-256 of the request as canonical JSON: sorted keys, no spaces, shortest floats (P2)."""
    canonical = json.dumps(request.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()


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
