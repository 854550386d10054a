"""Prices brought in and looked at by an MCP client, over a real PostgreSQL."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import empyrical
import numpy as np
import pytest
import talib
from anyio import to_thread
from mcp import Client
from mcp.types import CallToolResult

from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from backtesting.types import Timeframe
from database.stores import Stores
from mcp_server.progress import SHORTEST_PAUSE, Reporter
from mcp_server.server import build_server
from tests.fixtures.postgres import Database, copy_of
from tests.fixtures.price_files import gzipped, zipped
from tests.fixtures.series import sample_bars
from tests.fixtures.services import services_on

FOUR_KB = 4096
YAHOO = """Date,Open,High,Low,Close,Adj Close,Volume
2023-01-03,130.28,130.90,124.17,125.07,123.90,112117500
2023-01-04,126.89,128.66,125.08,126.36,125.18,89113600
2023-01-05,127.13,127.77,124.76,125.02,123.85,80962700
"""
PLAIN = "Date,Open,High,Low,Close,Volume\n2024-01-02,1,2,0.5,1.5,10\n2024-01-03,1,2,0.5,1.5,10\n"


@pytest.fixture(scope="module")
def stores(template: Database) -> Iterator[Stores]:
    stores = copy_of(template).stores()
    yield stores
    stores.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "prices"
    folder.mkdir()
    return folder


@pytest.fixture
async def client(stores: Stores, folder: Path) -> AsyncIterator[Client]:
    registry = StrategyRegistry(STRATEGIES)
    server = build_server(registry, lambda: services_on(stores, registry, folder))
    ready, done = asyncio.Future[Client](), asyncio.Event()

    async def hold() -> None:
        # a client has to be left in the task that entered it, and pytest-asyncio ends a fixture in another one
        async with Client(server) as client:
            ready.set_result(client)
            await done.wait()

    holding = asyncio.create_task(hold())
    yield await ready
    done.set()
    await holding


def text_of(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


async def told(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that must succeed in a small answer; return its structure."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    assert len(text_of(result)) < FOUR_KB and len(json.dumps(result.structured_content)) < FOUR_KB
    return result.structured_content or {}


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """Call a tool that must answer with an error, and see that the server still answers; return what it says."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error and result.structured_content is None
    assert "Traceback" not in text_of(result) and "defect" not in text_of(result)
    assert len(text_of(result)) < FOUR_KB
    assert not (await client.call_tool("list_assets", {})).is_error
    return text_of(result)


async def symbols(client: Client, **search: Any) -> list[str]:
    return [each["symbol"] for each in (await told(client, "list_assets", **search))["assets"]]


async def test_a_file_is_imported_and_tested_in_two_calls(client: Client, folder: Path) -> None:
    (folder / "NVDA.csv").write_text(YAHOO, encoding="utf-8")

    imported = await told(client, "import_market_data", path="NVDA.csv")
    run = await client.call_tool(
        "run_backtest",
        {
            "strategy_id": "buy_and_hold",
            "asset_symbol": "NVDA",
            "start_date": "2023-01-03",
            "end_date": "2023-01-05",
            "initial_capital": 1000,
            "parameters": {},
        },
    )

    (file,) = imported["files"]
    assert (imported["imported"], imported["refused"], imported["not_shown"]) == (1, 0, 0)
    assert (file["symbol"], file["timeframe"], file["layout"]) == ("NVDA", "1d", "Yahoo Finance")
    assert (file["first"][:10], file["last"][:10], file["rows_read"], file["bars_added"]) == (
        "2023-01-03", "2023-01-05", 3, 3,
    )  # fmt: skip
    assert not run.is_error, text_of(run)


async def test_text_and_structure_both_say_how_a_file_was_read_and_what_is_wrong(client: Client, folder: Path) -> None:
    rows = PLAIN + "2024-01-05,1,2,0.5,1.5,10\n"
    (folder / "GAPPY.csv").write_text(rows.replace("Date", "Day").replace(",", ";"), encoding="utf-8")

    result = await client.call_tool("import_market_data", {"path": "GAPPY.csv", "dry_run": True})

    (file,) = (result.structured_content or {})["files"]
    assert file["outcome"] == "checked" and file["bars_added"] is None
    (gap,) = [each for each in file["findings"] if each["code"] == "gaps"]
    assert gap["severity"] == "warning" and gap["count"] == 1
    for words in (*file["notes"], file["asset"], gap["message"], "nothing stored, dry run"):
        assert words in text_of(result)
    assert "GAPPY" not in await symbols(client)


async def test_what_a_file_leaves_open_can_be_said(client: Client, folder: Path) -> None:
    (folder / "x.csv").write_text("When;O;H;L;Settle\n01/02/2024;1;2;0,5;1,5\n02/02/2024;1;2;0,5;1,5\n", "utf-8")

    imported = await told(
        client,
        "import_market_data",
        path="x.csv",
        symbol="SAID",
        timeframe="1d",
        day_first=True,
        decimal_mark=",",
        columns={"time": "When", "close": "Settle"},
    )

    (file,) = imported["files"]
    assert (file["symbol"], file["first"][:10], file["last"][:10]) == ("SAID", "2024-02-01", "2024-02-02")


async def test_a_refused_file_hides_no_other_and_many_are_counted(client: Client, folder: Path) -> None:
    (folder / "many").mkdir()
    for number in range(30):
        (folder / "many" / f"M{chr(65 + number % 26)}{chr(65 + number // 26)}.csv").write_text(PLAIN, encoding="utf-8")
    (folder / "many" / "ZZZ.csv").write_text(PLAIN.replace("0.5", "=1+1"), encoding="utf-8")

    imported = await told(client, "import_market_data", path="many")

    assert (imported["imported"], imported["refused"]) == (30, 1)
    assert imported["files"][0]["outcome"] == "refused" and "'=1+1' is a formula" in imported["files"][0]["error"]
    assert imported["files"][1]["outcome"] == "stored"
    assert imported["not_shown"] == 31 - len(imported["files"]) > 0


async def test_files_of_which_none_can_be_imported_are_an_error_with_the_reasons(client: Client, folder: Path) -> None:
    for number in range(9):
        (folder / f"BAD{number}.csv").write_text("No data", encoding="utf-8")

    error = await refused(client, "import_market_data", path=".")

    assert "none of the 9 files could be imported" in error and "BAD0.csv: holds no table" in error
    assert "and 4 more" in error


async def test_the_members_of_a_zip_are_imported_each_under_its_name(client: Client, folder: Path) -> None:
    (folder / "both.zip").write_bytes(zipped({"ZIPA.csv": PLAIN.encode(), "ZIPB.csv": PLAIN.encode()}))

    imported = await told(client, "import_market_data", path="both.zip")

    assert [(each["file"], each["symbol"]) for each in imported["files"]] == [
        ("both.zip: ZIPA.csv", "ZIPA"),
        ("both.zip: ZIPB.csv", "ZIPB"),
    ]


def laid_out(folder: Path) -> None:
    """Put a good file outside the data folder, and links that lead to it."""
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "OUT.csv").write_text(PLAIN, encoding="utf-8")
    (folder / "IN.csv").write_text(PLAIN, encoding="utf-8")
    (folder / "LINK.csv").symlink_to(outside / "OUT.csv")
    (folder / "linked").symlink_to(outside)
    (folder / "round.csv").symlink_to(folder / "round.csv")
    (folder / ".hidden.csv").write_text(PLAIN, encoding="utf-8")
    (folder / "null.csv").symlink_to("/dev/null")
    os.mkfifo(folder / "pipe.csv")


@pytest.mark.parametrize(
    "path",
    [
        "{outside}/OUT.csv",
        "{outside}/none.csv",
        "../outside/OUT.csv",
        "linked/../IN.csv",
        "LINK.csv",
        "linked",
        "linked/OUT.csv",
        "round.csv",
        ".hidden.csv",
        "null.csv",
        "/dev/zero",
        "/etc/passwd",
        "pipe.csv",
        "none.csv",
        "IN.csv/x",
        "~/prices.csv",
        "IN.csv\x00",
        "file:///etc/passwd",
        "n" * 4000,
    ],
)
async def test_a_path_that_leads_elsewhere_is_refused_with_the_folders_that_are_open(
    client: Client, folder: Path, path: str
) -> None:
    laid_out(folder)

    error = await refused(client, "import_market_data", path=path.format(outside=folder.parent / "outside"))

    assert error.startswith("path: ") and str(folder) in error and "BACKTEST_DATA_FOLDERS" in error
    assert "OUT" not in await symbols(client)


async def test_what_is_outside_is_refused_in_the_same_words_whether_it_is_there_or_not(
    client: Client, folder: Path
) -> None:
    laid_out(folder)

    there, not_there = [
        await refused(client, "import_market_data", path=str(folder.parent / "outside" / name))
        for name in ("OUT.csv", "OFF.csv")
    ]

    assert there.replace("OUT.csv", "") == not_there.replace("OFF.csv", "")


async def test_a_path_is_short_and_the_nearest_name_is_offered(client: Client, folder: Path) -> None:
    (folder / "PRICES.csv").write_text(PLAIN, encoding="utf-8")

    assert "path" in await refused(client, "import_market_data", path="x" * 1_000_000)
    assert "path" in await refused(client, "import_market_data", path="")
    assert "did you mean 'PRICES.csv'" in await refused(client, "import_market_data", path="PRICE.csv")


async def test_links_in_a_folder_are_followed_only_where_they_stay_inside(client: Client, folder: Path) -> None:
    laid_out(folder)
    (folder / "STAYS.csv").symlink_to(folder / "IN.csv")

    imported = await told(client, "import_market_data", path=str(folder), dry_run=True)

    assert [each["file"] for each in imported["files"]] == ["IN.csv", "STAYS.csv"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may give files away")
async def test_a_file_of_another_user_is_refused(client: Client, folder: Path) -> None:
    (folder / "THEIRS.csv").write_text(PLAIN, encoding="utf-8")
    os.chown(folder / "THEIRS.csv", 54321, -1)

    assert "may be read" in await refused(client, "import_market_data", path="THEIRS.csv")


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may read everything")
async def test_a_file_without_permission_is_refused(client: Client, folder: Path) -> None:
    (folder / "CLOSED.csv").write_text(PLAIN, encoding="utf-8")
    (folder / "CLOSED.csv").chmod(0)

    assert "may not be read by this program" in await refused(client, "import_market_data", path="CLOSED.csv")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("EMPTY.csv", b"", "EMPTY.csv: is empty"),
        ("JUNK.csv", bytes(range(256)) * 40, "is binary and of no known kind"),
        ("IMAGE.csv", b"\x89PNG\r\n\x1a\n" + bytes(100), "is a PNG image"),
        ("FORMULA.csv", PLAIN.replace("0.5", '=HYPERLINK("x")').encode(), "is a formula"),
        ("COMMAND.csv", PLAIN.replace("0.5", "@SUM(1)").encode(), "line 2, column 'Low'"),
        ("BOMB.csv.gz", gzipped(b"2024-01-02,1,2,0.5,1.5,10\n" * 3_000_000), "unpacks to more than"),
        ("prices 1.csv", PLAIN.encode(), "nothing in it says which symbol it holds: name it"),
        ("TWICE.csv", (PLAIN + "2024-01-03,1,2,0.5,1.6,10\n").encode(), "conflicting_duplicates"),
    ],
)
async def test_a_bad_file_is_an_error_that_says_what_would_be_right_and_stores_nothing(
    client: Client, folder: Path, name: str, content: bytes, words: str
) -> None:
    (folder / name).write_bytes(content)
    before = await symbols(client, limit=100)

    error = await refused(client, "import_market_data", path=name)

    assert words in error and name in error
    assert await symbols(client, limit=100) == before


async def test_one_line_without_an_end_is_refused_early(client: Client, folder: Path) -> None:
    with (folder / "LINE.csv").open("wb") as file:
        for _ in range(110):
            file.write(b"1,2" * 350_000)

    error = await refused(client, "import_market_data", path="LINE.csv")

    (folder / "LINE.csv").unlink()
    assert "line 1 is longer than 1,048,576 bytes" in error


async def test_two_gigabytes_of_nothing_are_refused_early(client: Client, folder: Path) -> None:
    with (folder / "VOID.csv").open("wb") as file:
        file.write("".join(minutes(1000)).encode())
        file.truncate(2 << 30)  # sparse: takes no room

    assert "holds a zero byte" in await refused(client, "import_market_data", path="VOID.csv")


async def test_a_name_that_is_no_text_is_imported_all_the_same(client: Client, folder: Path) -> None:
    (folder / os.fsdecode(b"\xff.csv")).write_text(PLAIN, encoding="utf-8")

    imported = await told(client, "import_market_data", path=".", symbol="BYTES")

    assert imported["files"][0]["file"] == "\\udcff.csv"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"timeframe": "2d"}, ["timeframe", "'1d'"]),
        ({"zone": "America/New York"}, ["did you mean 'America/New_York'"]),
        ({"decimal_mark": ";"}, ["decimal_mark"]),
        ({"columns": {"closing": "Close"}}, ["unknown meaning of a column 'closing'"]),
        ({"columns": {"close": "Settle"}}, ["unknown column 'Settle'; known: Close, Date"]),
        ({"symbol": "A\x00B"}, ["symbol"]),
        ({"symbol": ""}, ["symbol"]),
        ({"symbol": "S" * 1_000_000}, ["symbol", "32"]),
        ({"day_first": "maybe"}, ["day_first"]),
        ({"dry": True}, ["dry", "did you mean 'dry_run'"]),
    ],
)
async def test_a_wrong_argument_of_an_import_is_told_by_name(
    client: Client, folder: Path, given: dict[str, Any], words: list[str]
) -> None:
    (folder / "GOOD.csv").write_text(PLAIN, encoding="utf-8")

    error = await refused(client, "import_market_data", path="GOOD.csv", **given)

    assert [word for word in words if word not in error] == []
    assert "GOOD" not in await symbols(client)


def minutes(rows: int) -> Iterator[str]:
    """Return rows of prices, a minute each."""
    yield "time,open,high,low,close,volume\n"
    yield from (f"{1_577_836_800 + 60 * number},100.25,101.75,99.125,100.5,12345.678\n" for number in range(rows))


async def test_an_import_tells_how_far_it_is_to_a_client_that_asked(client: Client, folder: Path) -> None:
    (folder / "LONGUSDT.csv").write_text("".join(minutes(400_000)), encoding="utf-8")
    seen: list[tuple[float, float | None, str | None]] = []

    async def watch(done: float, total: float | None, message: str | None) -> None:
        seen.append((done, total, message))

    result = await client.call_tool(
        "import_market_data", {"path": "LONGUSDT.csv", "dry_run": True}, progress_callback=watch
    )

    assert not result.is_error
    assert seen[0] == (0.0, 1.0, "LONGUSDT.csv: 0 rows")
    assert all(0 <= done <= 1 and total == 1.0 for done, total, _ in seen)
    assert all(before[0] < after[0] for before, after in pairwise(seen))


async def test_an_import_that_is_cancelled_leaves_nothing(
    client: Client, folder: Path, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backtesting.data_import.LARGEST_WHOLE", 1000)  # so that parts are copied while others are read
    (folder / "GONEUSDT.csv").write_text("".join(minutes(1_000_000)), encoding="utf-8")
    under_way = asyncio.Event()

    async def watch(done: float, *_: object) -> None:
        if done > 0:
            under_way.set()

    call = asyncio.create_task(
        client.call_tool("import_market_data", {"path": "GONEUSDT.csv"}, progress_callback=watch)
    )
    await under_way.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    while to_thread.current_default_thread_limiter().borrowed_tokens:  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(0)

    assert not (await client.call_tool("list_strategies", {})).is_error
    assert "GONEUSDT" not in stores.bars.symbols()


class Wire:
    """Takes progress as a context does."""

    def __init__(self) -> None:
        self.told: list[float] = []

    async def report_progress(self, done: float, _total: float, _message: str) -> None:
        self.told.append(done)


async def test_progress_is_told_at_most_four_times_a_second_and_never_backwards() -> None:
    wire, now = Wire(), [0.0]
    reporter = Reporter(wire, clock=lambda: now[0])  # type: ignore[arg-type]

    def work() -> None:
        for done, after in ((0.0, 0.0), (0.1, 0.1), (0.2, SHORTEST_PAUSE), (0.15, 1.0), (0.9, 1.0)):
            now[0] += after
            reporter.tell(done, 1.0, "")

    await to_thread.run_sync(work)

    assert wire.told == [0.0, 0.2, 0.9]


async def test_assets_are_listed_with_span_count_quality_and_prices(client: Client) -> None:
    (ibm,) = (await told(client, "list_assets", search="ibm"))["assets"]

    assert {name: ibm[name] for name in ("name", "asset_class", "currency", "exchange")} == {
        "name": "IBM", "asset_class": "equity", "currency": "USD", "exchange": "XNYS",
    }  # fmt: skip
    (series,) = ibm["series"]
    assert (series["timeframe"], series["first"], series["last"]) == ("1d", "2000-03-01", "2013-03-01")
    assert (series["bars"], series["adjusted"]) == (3270, True)
    assert ibm["quality"] in ("ok", "remark", "warning")


async def test_assets_are_searched_filtered_and_paged_to_the_last(client: Client, folder: Path) -> None:
    (folder / "BTCUSDT.csv").write_text(PLAIN, encoding="utf-8")
    await told(client, "import_market_data", path="BTCUSDT.csv")
    found: list[str] = []
    offset: int | None = 0

    while offset is not None:
        page = await told(client, "list_assets", offset=offset, limit=500)
        found += [each["symbol"] for each in page["assets"]]
        offset = page["next_offset"]

    assert found == sorted(set(found)) and len(found) == page["total"]
    assert await symbols(client, search="BTC/USDT") == ["BTCUSDT"]
    assert await symbols(client, search="btc", asset_class="crypto") == ["BTCUSDT"]
    assert await symbols(client, search="no such thing") == []
    assert "'equity'" in await refused(client, "list_assets", asset_class="stocks")
    assert "offset" in await refused(client, "list_assets", offset=-1)


async def test_a_look_at_prices_shows_both_ends_and_what_they_came_to(client: Client) -> None:
    view = await told(client, "get_market_data", symbol="ibm")

    bars = sample_bars("ibm")
    close = bars.adjusted().close
    returns = close[1:] / close[:-1] - 1
    summary = view["summary"]
    assert (view["symbol"], view["adjustment"], summary["bars"], summary["missing_bars"]) == (
        "IBM",
        "adjusted",
        3270,
        0,
    )
    assert [row[0] for row in view["rows"]][::9] == ["2000-03-01", "2013-03-01"] and len(view["rows"]) == 10
    assert [view["rows"][0][4], summary["first_close"]] == pytest.approx([73.667718762847] * 2, rel=1e-9)
    assert summary["total_return"] == pytest.approx(close[-1] / close[0] - 1, rel=1e-12)
    assert summary["annual_volatility"] == pytest.approx(empyrical.annual_volatility(returns), rel=1e-9)
    assert summary["max_drawdown"] == pytest.approx(empyrical.max_drawdown(returns), rel=1e-9)


async def test_raw_prices_are_shown_on_request_and_what_a_period_leaves_undefined_is_null(client: Client) -> None:
    view = await told(
        client, "get_market_data", symbol="IBM", start_date="2000-03-01", end_date="2000-03-01", adjustment="raw"
    )

    assert view["rows"] == [["2000-03-01", 102.0, 105.5, 100.06, 100.25, 10807800.0]]
    assert view["summary"]["annual_volatility"] is None
    assert view["undefined"] == {"annual_volatility": "too_short"}


async def test_bars_are_paged_to_the_last(client: Client) -> None:
    rows: list[list[Any]] = []
    offset: int | None = 0

    while offset is not None:
        page = await client.call_tool("get_market_data", {"symbol": "AAPL", "offset": offset, "limit": 500})
        rows += (page.structured_content or {})["rows"]
        offset = (page.structured_content or {})["next_offset"]

    bars = sample_bars("aapl")
    assert len(rows) == len(bars)
    assert [row[5] for row in rows] == bars.volume.tolist()
    assert np.allclose([row[4] for row in rows], bars.adjusted().close, rtol=1e-9, atol=0)


async def test_indicators_have_the_values_they_have_with_all_bars_before(client: Client) -> None:
    wanted = ["sma:50", "EMA:20", "rsi", "macd:12:26:9"]

    view = await told(client, "get_market_data", symbol="IBM", start_date="2005-01-03", indicators=wanted, limit=1)

    close = sample_bars("ibm").adjusted().close
    first = int(np.flatnonzero(sample_bars("ibm").time == np.datetime64("2005-01-03", "ns").astype(np.int64))[0])
    line, signal, histogram = talib.MACD(close)
    oracle = [talib.SMA(close, 50), talib.EMA(close, 20), talib.RSI(close, 14), line, signal, histogram]
    assert view["columns"][6:] == [
        "sma:50", "ema:20", "rsi:14", "macd:12:26:9 line", "macd:12:26:9 signal", "macd:12:26:9 histogram",
    ]  # fmt: skip
    assert view["rows"][0][6:] == pytest.approx([each[first] for each in oracle], rel=1e-5)


async def test_an_indicator_without_enough_bars_is_null(client: Client) -> None:
    view = await told(client, "get_market_data", symbol="IBM", indicators=["sma:3"], limit=3)

    assert [row[6] is None for row in view["rows"]] == [True, True, False]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"symbol": "IBMM"}, ["did you mean 'IBM'"]),
        ({"symbol": "IBM\x00"}, ["symbol"]),
        ({"timeframe": "1h"}, ["timeframe", "known: 1d"]),
        ({"timeframe": "2d"}, ["timeframe", "'1d'"]),
        ({"start_date": "soon"}, ["start_date", "2005-01-03"]),
        ({"start_date": "1999-01-01"}, ["start_date 1999-01-01", "2000-03-01 to 2013-03-01"]),
        ({"start_date": "2010-01-04", "end_date": "2009-01-05"}, ["2010-01-04"]),
        ({"adjustment": "some"}, ["adjustment", "'raw'"]),
        ({"indicators": ["smma:20"]}, ["unknown indicator 'smma'", "did you mean 'sma:20'", "macd:12:26:9"]),
        ({"indicators": ["sma:0"]}, ["'0' is not a whole number above 0 and up to 5000"]),
        ({"indicators": ["sma:1.5"]}, ["'1.5' is not a whole number"]),
        ({"indicators": ["sma:1:2"]}, ["too many parameters"]),
        ({"indicators": ["macd:26:12:9"]}, ["fast 26 must be below slow 12"]),
        ({"indicators": ["adx:1"]}, ["adx:1: period 1 must be 2 or more"]),
        ({"indicators": ["bollinger:20:nan"]}, ["'nan' is not a number above 0"]),
        ({"indicators": ["sma:20"] * 11}, ["indicators", "10"]),
        ({"indicators": ["x" * 1_000_000]}, ["indicators"]),
        ({"limit": 501}, ["limit", "500"]),
        ({"offset": -1}, ["offset"]),
    ],
)
async def test_a_look_that_cannot_be_meant_is_told_by_name_with_the_remedy(
    client: Client, given: dict[str, Any], words: list[str]
) -> None:
    error = await refused(client, "get_market_data", **{"symbol": "IBM"} | given)

    assert [word for word in words if word not in error] == []


async def test_a_look_names_what_the_last_import_found(client: Client, folder: Path) -> None:
    days = [date(2024, 1, 1) + timedelta(number) for number in range(12) if number != 5]
    rows = "".join(f"{day},1,2,0.5,1.5,10\n" for day in days)
    (folder / "ETHUSDT.csv").write_text("Date,Open,High,Low,Close,Volume\n" + rows, encoding="utf-8")
    await told(client, "import_market_data", path="ETHUSDT.csv")

    view = await told(client, "get_market_data", symbol="ETHUSDT")

    assert view["summary"]["missing_bars"] == 1 and view["adjustment"] == "raw"
    assert "gaps" in [each["code"] for each in view["findings"]]
    (asset,) = (await told(client, "list_assets", search="ETHUSDT"))["assets"]
    assert asset["quality"] == "warning" and "gaps" in asset["series"][0]["findings"]
    assert asset["series"][0]["timeframe"] == Timeframe.D1
