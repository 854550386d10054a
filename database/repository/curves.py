"""Curves as PostgreSQL keeps them: compressed bytes, exactly what they were."""

import zlib

import numpy as np

from backtesting.types import EquityCurve

LONG = 20_000  # points; below, zlib takes a few milliseconds, and pyarrow 30 MB
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def pack(curve: EquityCurve) -> bytes:
    """Compress a curve exactly: the steps of its stamps, then its values, little-endian; a long one by zstd."""
    steps = np.diff(curve.time, prepend=0).astype("<i8")
    plain = steps.tobytes() + curve.value.astype("<f8").tobytes()
    if len(steps) < LONG:
        return zlib.compress(plain, 1)
    import pyarrow as pa  # noqa: PLC0415 - few runs are that long

    return pa.Codec("zstd", 1).compress(plain, asbytes=True)  # type: ignore[no-any-return]


def unpack(packed: bytes) -> EquityCurve:
    """Return the curve that was packed."""
    numbers = np.frombuffer(_plain(packed), np.int64)
    half = len(numbers) // 2
    return EquityCurve(np.cumsum(numbers[:half]), numbers[half:].view(np.float64))


def _plain(packed: bytes) -> bytes:
    if not packed.startswith(ZSTD_MAGIC):
        return zlib.decompress(packed)
    import pyarrow as pa  # noqa: PLC0415

    return pa.input_stream(pa.py_buffer(packed), compression="zstd").read()  # type: ignore[no-any-return]
