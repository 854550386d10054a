"""Every file that cannot be read is refused in one sentence that names it, what is wrong, and what would be right."""

import io
import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from backtesting.errors import BacktestError, UnknownNameError
from backtesting.price_files import Hints, UnreadableFileError, price_files
from tests.fixtures import price_files as files
from tests.fixtures.price_files import gzipped, zipped

HEADER = "Date,Open,High,Low,Close,Volume\n"
ROW = "2020-01-02,1,2,0.5,1.5,10\n"
NEXT = "2020-01-03,1,2,0.5,1.5,10\n"
GOOD = HEADER + ROW + NEXT
BARS = {"open": [1.0], "high": [2.0], "low": [0.5], "close": [1.5]}


def below(row: str) -> str:
    """Return a good table whose third row is this."""
    return GOOD + row + "\n" + ROW.replace("02", "08")


def parquet_of(**columns: pa.Array) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def encrypted(content: bytes) -> bytes:
    """Return a zip that claims to be encrypted, in its directory and before its member."""
    raw = bytearray(zipped({"a.csv": content}))
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    return bytes(raw)


REFUSED = [
    ("nothing", "a.csv", b"", "is empty"),
    ("blank lines only", "a.csv", b"\n \r\n\n", "is empty"),
    ("a header only", "a.csv", HEADER, "has a header in line 1 and no row below it"),
    ("a message instead of data", "a.csv", b"No data", "holds no table of prices; it begins 'No data'"),
    ("an image", "a.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "is a PNG image"),
    ("a program", "a.csv", b"\x7fELF\x02\x01" + bytes(200), "is a program"),
    ("a database", "a.csv", b"SQLite format 3\0" + bytes(200), "is a SQLite database, not a price table; export"),
    (
        "a workbook",
        "a.xlsx",
        zipped({"[Content_Types].xml": b"", "xl/workbook.xml": b""}),
        "is an Excel workbook; open it",
    ),
    ("an old workbook", "a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(200), "is an old Excel workbook"),
    ("a web page", "a.csv", b"<!DOCTYPE html><html>Too many requests</html>", "is a web page"),
    ("json", "a.csv", b'{"chart": {"result": null}}', "is JSON"),
    ("a pickle", "a.csv", b"\x80\x04\x95" + bytes(200), "is a Python pickle"),
    ("random bytes", "a.csv", bytes(range(256)) * 20, "is binary and of no known kind"),
    ("a tar", "a.csv.gz", gzipped(b"a.csv" + bytes(252) + b"ustar" + bytes(250)), "is a tar archive"),
    ("a zero byte", "a.csv", below("2020-01-06,1\0,2,0.5,1.5,10"), "line 4 holds a zero byte"),
    ("one endless line", "a.csv", "2020-01-02," * 200_000, "line 1 is longer than 1,048,576 bytes"),
    ("an endless line below", "a.csv", GOOD + "1," * 1_000_000, "line 4 is longer than 1,048,576 bytes"),
    ("too many columns", "a.csv", ",".join(["c"] * 501) + "\n" + ",".join(["1"] * 501), "has more than 500 columns"),
    ("a formula", "a.csv", below("2020-01-06,=1+1,2,0.5,1.5,10"), "line 4, column 'Open': '=1+1' is a formula"),
    (
        "a command in a cell",
        "a.csv",
        below("2020-01-06,+cmd|' /C calc'!A0,2,0.5,1.5,10"),
        "line 4, column 'Open': \"+cmd|' /C calc'!A0\" is a formula",
    ),
    (
        "a word for a price",
        "a.csv",
        below("2020-01-06,1,2,oops,1.5,10"),
        "line 4, column 'Low': 'oops' is not a number",
    ),
    ("infinity", "a.csv", below("2020-01-06,1,inf,0.5,1.5,10"), "line 4, column 'High': 'inf' is not a number"),
    (
        "a day that is none",
        "a.csv",
        below("2020-02-30,1,2,0.5,1.5,10"),
        "line 4, column 'Date': '2020-02-30' is not a day",
    ),
    (
        "an hour that is none",
        "a.csv",
        below("2020-02-03 24:10,1,2,0.5,1.5,10"),
        "line 4, column 'Date': '2020-02-03 24:10'",
    ),
    ("a word for a date", "a.csv", below("soon,1,2,0.5,1.5,10"), "line 4, column 'Date': 'soon' is not a date"),
    ("no date", "a.csv", below(",1,2,0.5,1.5,10"), "line 4, column 'Date': has no date"),
    ("words for all dates", "a.csv", HEADER + "soon,1,2,0.5,1.5,10\n", "line 2 has 'soon' where a date is expected"),
    ("another form of date", "a.csv", below("01/13/2020,1,2,0.5,1.5,10"), "'01/13/2020' is not written as YYYY-MM-DD"),
    ("a day count", "a.csv", HEADER + "43832,1,2,0.5,1.5,10\n", "line 2 has '43832' for a date, a day count of Excel"),
    ("a year in two figures", "a.csv", HEADER + "1/13/20,1,2,0.5,1.5,10\n", "'1/13/20' where a date is expected"),
    ("a last date that is none", "a.csv", GOOD + "n/a,1,2,0.5,1.5,10\n", "line 4, column 'Date': has no date"),
    (
        "offsets on some rows",
        "a.csv",
        "t,o,h,l,c\n2020-01-02 09:00Z,1,2,1,1\n2020-01-02 10:00,1,2,1,1",
        "line 3, column 't'",
    ),
    ("day or month", "a.csv", HEADER + "01/02/2020,1,2,0.5,1.5,10\n", "no date tells day from month; say day_first"),
    (
        "day and month by turns",
        "a.csv",
        HEADER + "13/02/2020,1,2,0.5,1.5,10\n02/14/2020,1,2,0.5,1.5,10\n",
        "so day and month change places",
    ),
    ("a close only", "a.csv", "Date,Close\n2020-01-02,1\n", "no column for open, high, low; bars need all four prices"),
    (
        "no known name",
        "a.csv",
        "P,Q,R,S,X\n2020-01-02,1,2,0.5,1.5\n",
        "no column for time, open, high, low, close; understood: none",
    ),
    (
        "one name twice",
        "a.csv",
        "Date,Open,High,Low,Close,Close\n2020-01-02,1,2,1,1,1\n",
        "line 1 names 'close' 2 times",
    ),
    (
        "headerless and out of order",
        "a.csv",
        "2020-01-02,1.5,0.5,2,1\n",
        "are not open, high, low, close in this order",
    ),
    ("a row too short", "a.csv", below("2020-01-06,1,2"), "line 4: cells: 3 where the others have 6: '2020-01-06,1,2'"),
    ("a row too long", "a.csv", below("2020-01-06,1,2,0.5,1.5,10,7"), "line 4: cells: 7 where the others have 6"),
    ("cut off in a row", "a.csv", GOOD + "2020-01-0", "line 4: cells: 1 where the others have 6: '2020-01-0'"),
    ("an open quote", "a.csv", below('2020-01-06,"1,2,0.5,1.5,10'), "line 4"),
    (
        "decimals or thousands",
        "a.csv",
        "Date;Open;High;Low;Close\n2020-01-02;1,2;1,2;1,1;1,234.5",
        "point and comma both",
    ),
    (
        "groups of three only",
        "a.csv",
        "Date;Open;High;Low;Close\n2020-01-02;1,234;1,235;1,230;1,232\n",
        "'1,234' may have decimals or thousands behind its comma",
    ),
    ("two tickers", "a.csv", files.POLYGON_TWO, "holds several tickers, AAPL, MSFT; say which symbol"),
    ("two tickers side by side", "a.csv", files.YFINANCE_TWO, "holds several tickers, AAPL, MSFT; say which symbol"),
    (
        "a daily file with an hour in it",
        "a.csv",
        "t,o,h,l,c\n"
        + "".join(f"2020-01-{day} 00:00:00-05:00,1,2,1,1\n" for day in ("02", "03", "06", "07")) * 600
        + "2020-01-07 01:00:00-05:00,1,2,1,1\n",
        "line 2402, column 't': is 1 hours from the row before",
    ),
    ("gz cut off", "a.csv.gz", gzipped(GOOD.encode() * 100)[:-20], "is cut off in the middle"),
    ("gz damaged", "a.csv.gz", gzipped(GOOD.encode())[:-8] + bytes(8), "is damaged"),
    ("gz in gz", "a.csv.gz", gzipped(gzipped(GOOD.encode())), "is a gzip archive, not a price table; unpack it"),
    ("zip damaged", "a.zip", zipped({"a.csv": GOOD.encode()})[:60], "is a damaged or unusual zip"),
    ("zip in zip", "a.zip", zipped({"b.zip": zipped({"a.csv": b""})}), "a.zip: b.zip: is a zip archive"),
    ("zip without prices", "a.zip", zipped({"README.md": b"hello"}), "holds no price file; known endings: .arrow"),
    ("zip encrypted", "a.zip", encrypted(GOOD.encode()), "is encrypted; unpack it with its password"),
    ("parquet cut off", "a.parquet", parquet_of(a=pa.array([1]))[:40], "is damaged or cut off"),
    ("parquet without prices", "a.parquet", parquet_of(a=pa.array([1])), "no column for time, open, high, low, close"),
    ("parquet without rows", "a.parquet", parquet_of(a=pa.array([], pa.int64())), "has no row"),
    (
        "parquet with lists for prices",
        "a.parquet",
        parquet_of(date=pa.array(["2020-01-02"]), **{**BARS, "close": pa.array([[1.5]])}),
        "column 'close' holds list<",
    ),
    (
        "parquet with a word for a price",
        "a.parquet",
        parquet_of(date=pa.array(["2020-01-02"]), **{**BARS, "close": pa.array(["x"])}),
        "row 1, column 'close': 'x' is not a number",
    ),
    (
        "parquet with an empty date",
        "a.parquet",
        parquet_of(date=pa.array([1577923200, None]), **{name: [1.0, 1.0] for name in BARS}),
        "row 2, column 'date': has no date",
    ),
    (
        "parquet with a day beyond counting",
        "a.parquet",
        parquet_of(date=pa.array([0, 10**18], pa.timestamp("us")), **{name: [1.0, 1.0] for name in BARS}),
        "row 2, column 'date': is outside 1678 to 2261",
    ),
    ("parquet with bytes for its foot", "a.parquet", b"PAR1" + bytes(50) + b"\x28\0\0\0PAR1", "is damaged or cut off"),
    (
        "a stamp beyond counting",
        "a.csv",
        "t,o,h,l,c\n1577923200.5,1,2,1,1\n1e99,1,2,1,1\n",
        "line 3, column 't': 1e+99 is not a count since 1970",
    ),
    (
        "a date in the next millennium",
        "a.csv",
        below("3020-01-06,1,2,0.5,1.5,10"),
        "line 4, column 'Date': '3020-01-06' is not a day of the calendar",
    ),
    ("arrow cut off", "a.arrow", b"ARROW1\0\0abc", "is damaged or cut off"),
]


ZONED = (
    "t,o,h,l,c\n"
    + "".join(f"2020-01-02 {hour:02}:{minute:02}:00Z,1,2,1,1\n" for hour in range(24) for minute in range(60)) * 2
)


def attempt(path: Path, hints: Hints) -> None:
    for file in price_files(path, hints):
        file.reading()
        list(file.chunks())


def refusal(path: Path, hints: Hints | None = None) -> str:
    """Return the sentence a file is refused with."""
    with pytest.raises(UnreadableFileError) as refused:
        attempt(path, hints or Hints())
    return str(refused.value)


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "sentence"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED]
)
def test_a_bad_file_is_refused_in_a_sentence(name: str, content: str | bytes, sentence: str, tmp_path: Path) -> None:
    said = refusal(written(tmp_path, name, content))

    assert said.startswith(name) and sentence in said and "\n" not in said


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none" / "a.csv").endswith("there is no such file or folder; check the path")


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")

    assert "is neither a file nor a folder" in refusal(tmp_path / "pipe.csv")


def test_a_folder_without_price_files_is_named(tmp_path: Path) -> None:
    assert "holds no price file; known endings are .csv" in refusal(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", GOOD)
    path.chmod(0)

    assert "may not be read by this program" in refusal(path)


def test_what_swells_a_hundredfold_is_refused_on_the_way(tmp_path: Path) -> None:
    rows = ROW.encode() * 3_000_000
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", rows)

    assert "unpacks to more than 64 MB" in refusal(written(tmp_path, "a.csv.gz", gzipped(rows)))
    assert "unpacks to more than 64 MB" in refusal(written(tmp_path, "b.zip", packed.getvalue()))


def test_a_second_ticker_far_down_is_refused_with_its_line(tmp_path: Path) -> None:
    rows = files.POLYGON + "AAPL,1,185,185,185,185,1704186120000000000,1\n" * 3000
    path = written(tmp_path, "a.csv", rows + "MSFT,1,373,373,373,373,1704186180000000000,1\n")

    assert "line 3004, column 'ticker': 'MSFT' is another ticker than AAPL; say which symbol" in refusal(path)
    assert "holds several tickers, AAPL, MSFT; 'IBM' is none of them" in refusal(path, Hints(symbol="IBM"))
    assert len(next(price_files(path, Hints(symbol="MSFT"))[0].chunks())) == 1


def test_a_decision_about_day_and_month_that_turns_out_wrong_is_refused(tmp_path: Path) -> None:
    rows = HEADER + "".join(f"01/{13 + place % 10}/2020,1,2,0.5,1.5,10\n" for place in range(3000))
    path = written(tmp_path, "a.csv", rows + "14/01/2020,1,2,0.5,1.5,10\n")

    assert "line 3002, column 'Date': '14/01/2020' is not a day of the calendar" in refusal(path)
    assert "day_first is True, but the dates have the month first" in refusal(path, Hints(day_first=True))


@pytest.mark.parametrize(
    ("stamp", "what"),
    [
        ("2020-03-08 02:30", "does not exist in America/New_York"),
        ("2020-11-01 01:30", "happens twice in America/New_York"),
    ],
)
def test_local_times_that_are_none_or_two_are_refused(stamp: str, what: str, tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", f"t,o,h,l,c\n2020-01-02 10:00,1,2,1,1\n{stamp},1,2,1,1\n")

    assert f"line 3, column 't': {what}" in refusal(path, Hints(zone="America/New_York"))


def test_hints_that_mean_nothing_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'America/New_York'"):
        Hints(zone="America/New York")
    with pytest.raises(UnknownNameError, match="unknown meaning of a column 'closing'"):
        Hints(columns={"closing": "Settle"})
    with pytest.raises(BacktestError, match="decimal_mark"):
        Hints(decimal_mark=";")


def test_a_hinted_column_that_is_not_there_is_refused_with_the_names(tmp_path: Path) -> None:
    (file,) = price_files(written(tmp_path, "a.csv", GOOD), Hints(columns={"close": "Settle"}))

    with pytest.raises(UnknownNameError, match="unknown column 'Settle'; known: Close, Date"):
        file.reading()


@pytest.mark.parametrize(
    ("rows", "tail", "what"),
    [
        (ZONED, "2020-01-04 10:00:00,1,2,1,1", "has no offset from UTC"),
        (ZONED.replace("Z", ""), "2020-01-04 10:00:00Z,1,2,1,1", "has an offset from UTC"),
        (files.BINANCE_US * 2000, "2020-01-02 10:00:00," + "1," * 10 + "0", "is not a count since 1970"),
    ],
)
def test_another_kind_of_stamp_far_down_is_refused_with_its_line(
    rows: str, tail: str, what: str, tmp_path: Path
) -> None:
    said = refusal(written(tmp_path, "a.csv", f"{rows}{tail}\n"))

    assert what in said
    assert f"line {rows.count(chr(10)) + 1}," in said
