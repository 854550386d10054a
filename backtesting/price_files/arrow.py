"""pyarrow, imported when it is first used: it takes 45 MB, and most processes never read a file."""

from typing import TYPE_CHECKING

from backtesting.late import Late

__all__ = ["csv", "ipc", "pa", "parquet", "pc"]

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv, ipc, parquet
else:
    pa, pc = Late("pyarrow"), Late("pyarrow.compute")
    csv, ipc, parquet = Late("pyarrow.csv"), Late("pyarrow.ipc"), Late("pyarrow.parquet")
