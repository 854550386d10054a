"""Where a provider finds its series, as far as its user has to say so."""

from typing import Annotated

from pydantic import Field

from backtesting.errors import BacktestError
from backtesting.types import Input

TABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?$"


class Place(Input):
    """An exchange of ccxt, or the files, folder or database that DuckDB reads, and its table."""

    exchange: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9_]+$")] | None = None
    path: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    table: Annotated[str, Field(pattern=TABLE)] | None = None

    def only(self, provider: str, *fields: str) -> None:
        """Refuse what the provider has no use for."""
        for name, value in self:
            if value is not None and name not in fields:
                raise BacktestError(f"{name}: {provider} has none, leave it out", field=name)
