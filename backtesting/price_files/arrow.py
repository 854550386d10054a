"""pyarrow, imported when it is first used: it takes 45 MB, and most processes never read a file."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["csv", "ipc", "pa", "parquet", "pc"]


class _Late:
    """Stands in for a module until something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)


if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv, ipc, parquet
else:
    pa, pc = _Late("pyarrow"), _Late("pyarrow.compute")
    csv, ipc, parquet = _Late("pyarrow.csv"), _Late("pyarrow.ipc"), _Late("pyarrow.parquet")
