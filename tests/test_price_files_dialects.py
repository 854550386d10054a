"""Whatever dialect the same bars are written in, the same numbers come back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backtesting.price_files import Hints, PriceFile
from backtesting.types import nanoseconds
from tests.fixtures.price_files import gzipped, zipped

START = datetime(2019, 12, 20, tzinfo=UTC)
Bar = tuple[datetime, list[int]]

FORMS: dict[str, Callable[[datetime], str]] = {
    "iso": lambda day: f"{day:%Y-%m-%d %H:%M:%S}",
    "iso with T and zone": lambda day: f"{day:%Y-%m-%dT%H:%M:%S}Z",
    "iso with offset": lambda day: f"{day + timedelta(hours=2):%Y-%m-%d %H:%M:%S}+02:00",
    "dotted": lambda day: f"{day:%d.%m.%Y %H:%M}",
    "tight": lambda day: f"{day:%Y%m%d %H%M%S}",
    "day first": lambda day: f"{day:%d/%m/%Y %H:%M}",
    "month first": lambda day: f"{day.month}/{day.day}/{day:%Y %I:%M:%S %p}",
    "words": lambda day: f"{day:%b %d %Y %H:%M}",
    "seconds": lambda day: str(nanoseconds(day) // 10**9),
    "milliseconds": lambda day: str(nanoseconds(day) // 10**6),
    "nanoseconds": lambda day: str(nanoseconds(day)),
}
HEADERS = (
    "Date,Open,High,Low,Close,Volume",
    "TIMESTAMP,O,H,L,C,V",
    "<date>,<open>,<high>,<low>,<close>,<vol>",
    "time,1. open,2. high,3. low,4. close,5. volume",
    "datetime,open price,high price,low price,close/last,Volume USDT",
)


@dataclass(frozen=True)
class Dialect:
    """One way to write a table."""

    separator: str
    mark: str
    groups: str
    sign: str
    quoted: bool
    form: str
    header: str
    encoding: str
    line_end: str
    pack: str

    def number(self, cents: int) -> str:
        whole, rest = divmod(cents, 100)
        return f"{self.sign}{whole:,}".replace(",", self.groups) + f"{self.mark}{rest:02d}"

    def text(self, bars: list[Bar]) -> str:
        rows = [[FORMS[self.form](day), *map(self.number, cents)] for day, cents in bars]
        lines = [self.header.split(","), *rows]
        quote = '"' if self.quoted else ""
        return "".join(self.separator.join(f"{quote}{cell}{quote}" for cell in line) + self.line_end for line in lines)

    def file(self, folder: Path, bars: list[Bar]) -> Path:
        content = self.text(bars).encode(self.encoding)
        name, packed = {
            "plain": ("x.csv", content),
            "gz": ("x.csv.gz", gzipped(content)),
            "zip": ("x.zip", zipped({"x.csv": content})),
        }[self.pack]
        path = folder / name
        path.write_bytes(packed)
        return path


dialects = st.builds(
    Dialect,
    separator=st.sampled_from([",", ";", "\t", "|"]),
    mark=st.sampled_from([".", ","]),
    groups=st.sampled_from(["", ",", ".", " ", "'"]),
    sign=st.sampled_from(["", "$", "\u20ac"]),
    quoted=st.booleans(),
    form=st.sampled_from(list(FORMS)),
    header=st.sampled_from(HEADERS),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    pack=st.sampled_from(["plain", "gz", "zip"]),
)
cents = st.lists(st.integers(0, 10**8), min_size=5, max_size=5)
tables = st.lists(cents, min_size=30, max_size=40)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(dialect=dialects, rows=tables, step=st.sampled_from([5, 60, 240]))
def test_prices_come_back_from_any_dialect(dialect: Dialect, rows: list[list[int]], step: int) -> None:
    assume(dialect.mark != dialect.groups)
    assume(dialect.quoted or dialect.separator not in (dialect.mark, dialect.groups))
    bars = [(START + timedelta(minutes=step * place), row) for place, row in enumerate(rows)]

    with TemporaryDirectory() as folder:
        (read,) = PriceFile(
            dialect.file(Path(folder), bars), Hints(day_first=dialect.form == "day first" or None)
        ).chunks()

    assert read.time.tolist() == [nanoseconds(day) for day, _ in bars]
    columns = (read.open, read.high, read.low, read.close, read.volume)
    assert [column.tolist() for column in columns] == [[row[place] / 100 for row in rows] for place in range(5)]
    assert read.line.tolist() == list(range(2, len(rows) + 2))
