"""Tools that bring prices in and show what is stored."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from backtesting.assets import spellings_of
from backtesting.errors import BacktestError
from backtesting.file_import import FileOutcome, import_files
from backtesting.market_view import MarketRequest, look
from backtesting.reporting.catalog import asset_lines
from backtesting.types import AssetSearch, ImportRequest, Progress, validated
from mcp_server.progress import Reporter
from mcp_server.schemas.answers import reply
from mcp_server.schemas.data import LONGEST_ERROR, ImportReply, cut
from mcp_server.schemas.market import AssetsReply, MarketReply
from mcp_server.services import Services

TOLD_ERRORS = 5
ASSETS_A_PAGE, BARS_A_PAGE, LARGEST_PAGE = 10, 50, 500
LARGEST_OFFSET = 1_000_000_000


class DataTools:
    """The tools; the services are opened by the first call that needs them."""

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    def import_market_data(  # noqa: PLR0913, PLR0917 - a tool's arguments are flat
        self,
        context: Context[Any, Any],
        path: Annotated[str, Field(min_length=1, max_length=4096, description="File, folder or zip")],
        symbol: str | None = None,
        timeframe: str | None = None,
        zone: Annotated[str | None, Field(description="e.g. America/New_York")] = None,
        day_first: bool | None = None,  # noqa: FBT001 - a tool's arguments are named
        decimal_mark: Literal[".", ","] | None = None,
        columns: Annotated[dict[str, str] | None, Field(description="{meaning: column}")] = None,
        dry_run: bool = False,  # noqa: FBT001, FBT002 - a tool's arguments are named
    ) -> Annotated[CallToolResult, ImportReply]:
        """Import price files (CSV, Parquet, Feather), each whole or not at all.

        Use it to bring in the user's prices: it tells how they were read and what is wrong. Say only what a file leaves
        open.
        """
        services = self._services()
        request = validated(
            ImportRequest,
            path=services.folders.find(path),
            symbol=symbol,
            timeframe=timeframe,
            zone=zone,
            day_first=day_first,
            decimal_mark=decimal_mark,
            columns=columns or {},
            dry_run=dry_run,
        )
        reporter = Reporter(context)

        def watch(progress: Progress) -> None:
            reporter.tell(progress.done, progress.total, f"{progress.source}: {progress.rows:,} rows")

        outcomes = list(import_files(services.importer, request, admitted=services.folders.holds, watch=watch))
        _require_one(outcomes)
        told = ImportReply.of(outcomes)
        return reply(told, told.text())

    def list_assets(
        self,
        search: Annotated[str, Field(max_length=64, description="In symbol or name")] = "",
        asset_class: str | None = None,
        offset: int = 0,
        limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = ASSETS_A_PAGE,
    ) -> Annotated[CallToolResult, AssetsReply]:
        """List stored assets with their series and quality.

        Use it to learn what can be tested, and how good the prices are.
        """
        wanted = validated(
            AssetSearch,
            text=search.strip(),
            spellings=spellings_of(search),
            asset_class=asset_class,
            offset=offset,
            limit=limit,
        )
        page = self._services().catalog.find(wanted)
        told = AssetsReply.of(page, offset)
        lines = asset_lines(page.entries[: len(told.assets)]) or ["import_market_data brings assets in"]
        more = [f"next page: offset={told.next_offset}"] if told.next_offset else []
        return reply(told, "\n".join([f"{page.total} assets", *lines, *more]))

    def get_market_data(  # noqa: PLR0913, PLR0917 - a tool's arguments are flat
        self,
        symbol: str,
        timeframe: str = "1d",
        start_date: str | None = None,
        end_date: str | None = None,
        adjustment: str | None = None,
        indicators: Annotated[list[str] | None, Field(description="e.g. sma:20, rsi:14")] = None,
        offset: Annotated[int | None, Field(ge=0, le=LARGEST_OFFSET)] = None,
        limit: Annotated[int | None, Field(ge=1, le=LARGEST_PAGE)] = None,
    ) -> Annotated[CallToolResult, MarketReply]:
        """Summarise stored prices; show their first and last bars, or a page.

        Use it to look at prices and indicators.
        """
        wanted = validated(
            MarketRequest,
            symbol=symbol,
            timeframe=timeframe,
            start_date=start_date,
            end_date=end_date,
            adjustment=adjustment,
            indicators=indicators or [],
        )
        services = self._services()
        view = look(services.bars, wanted)
        series = services.catalog.entry(view.asset.symbol).series
        findings = next((each.findings for each in series if each.timeframe is view.timeframe), ())
        page = None if offset is None and limit is None else (offset or 0, limit or BARS_A_PAGE)
        told = MarketReply.of(view, findings, page)
        return reply(told, told.text())


def _require_one(outcomes: list[FileOutcome]) -> None:
    """Raise what refused the files where none was imported."""
    errors = [each.error for each in outcomes if each.error]
    if len(errors) < len(outcomes):
        return
    if len(errors) == 1:
        raise errors[0]
    more = f"\nand {len(errors) - TOLD_ERRORS} more" if len(errors) > TOLD_ERRORS else ""
    listed = "".join(f"\n{cut(str(error), LONGEST_ERROR)}" for error in errors[:TOLD_ERRORS])
    raise BacktestError(f"path: none of the {len(errors)} files could be imported:{listed}{more}", field="path")
