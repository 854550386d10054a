"""What can go wrong while prices are fetched."""

from backtesting.errors import BacktestError


class MissingExtraError(BacktestError):
    """The optional library that a provider works with is not installed."""

    code = "missing_extra"

    def __init__(self, library: str) -> None:
        super().__init__(
            f"provider: needs the package {library}, which is not installed; put `--with {library}` before main.py "
            f"(uv run --no-project --with-requirements requirements.lock --with {library} main.py ...), or "
            f"`pip install {library}`",
            field="provider",
        )


class ProviderUnavailableError(BacktestError):
    """A provider cannot be reached, or answers nothing that can be used."""

    code = "provider_unavailable"


class NothingFetchedError(BacktestError):
    """A provider has no bars in the period that was asked for."""

    code = "nothing_fetched"


class PassingError(Exception):
    """A failure that may be over soon: the network, a rate limit, a server's trouble, an answer cut off."""
