"""A table's cells become price rows by one plan, made from its first rows and held to in all others."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from backtesting.errors import shown
from backtesting.price_files.arrow import pa, pc
from backtesting.price_files.columns import Columns, columns_of, pick
from backtesting.price_files.errors import UnreadableFileError
from backtesting.price_files.hints import Hints
from backtesting.price_files.meanings import BESIDES, NUMBERS, PRICES, Meaning
from backtesting.price_files.numbers import BadCellError, NumberFormat, number_format, numbers
from backtesting.price_files.stamps import BadStampError, orders
from backtesting.price_files.tables import Batch, Table, refuse
from backtesting.price_files.timing import Timing, timing_of
from backtesting.price_files.zones import LocalTimeError
from backtesting.types import Floats, Integers, PriceRows, Timeframe


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How the cells of one table are read; `only` is the ticker whose rows count where there are several."""

    columns: Columns
    format: NumberFormat
    timing: Timing
    only: str | None = None
    ticker: str | None = None

    @property
    def types(self) -> dict[int, pa.DataType]:
        """The columns that are read, in the types the CSV reader may convert to by itself."""
        wanted = {}
        for meaning, place in self.columns.places.items():
            if meaning in NUMBERS:
                wanted[place] = pa.float64() if self.format.plain else pa.string()
            elif meaning is Meaning.TIME and Meaning.CLOCK not in self.columns.places:
                wanted[place] = self.timing.typed
            elif meaning is not Meaning.PERIOD:
                wanted[place] = pa.string()
        return wanted

    @property
    def notes(self) -> tuple[str, ...]:
        """Every choice made, one sentence each."""
        return (*self.columns.notes, *self.format.notes, *self.timing.notes, *self.timing.order)


def plan_of(table: Table, hints: Hints, frame: Timeframe | None) -> Plan:
    """Make the plan, looking through the whole table only for what its first rows leave open."""
    columns = columns_of(table, hints)
    top = table.top.columns
    cells = [top[place] for meaning, place in columns.places.items() if meaning in NUMBERS]
    written = [column for column in cells if pa.types.is_string(column.type)]
    prices = number_format(written or [pa.nulls(0, pa.string())], hints.decimal_mark, table.name)
    try:
        timing = timing_of(stamps_in(dict(enumerate(top)), columns), hints, frame, table.name)
    except BadStampError as error:
        refuse(table, int(table.top.line[error.row]), columns.places[Meaning.TIME], str(error))
    plan = Plan(columns, prices, timing, ticker=columns.ticker)
    if timing.undecided:
        plan = replace(plan, timing=_with_order(table, plan))
    return _with_ticker(table, plan, hints)


def stamps_in(cells: Mapping[int, pa.Array], columns: Columns) -> pa.Array:
    """Return the time column, its separate time of day behind it where there is one."""
    days = cells[columns.places[Meaning.TIME]]
    if Meaning.CLOCK not in columns.places:
        return days
    clock = pc.cast(cells[columns.places[Meaning.CLOCK]], pa.string())
    trimmed = [pc.utf8_trim_whitespace(each) for each in (pc.cast(days, pa.string()), clock)]
    return pc.binary_join_element_wise(*trimmed, " ")


def _with_order(table: Table, plan: Plan) -> Timing:
    """Look for the first date that tells day from month."""
    form = plan.timing.form
    assert form is not None  # noqa: S101 - undecided is said of forms only
    for batch in table.batches({place: kind for place, kind in plan.types.items() if kind == pa.string()}):
        for first in orders(stamps_in(batch.columns, plan.columns), form):
            return replace(plan.timing, day_first=first)
    raise UnreadableFileError(
        f"{table.name}: no date tells day from month; say day_first true (31/01/2020) or false (01/31/2020)"
    )


def _with_ticker(table: Table, plan: Plan, hints: Hints) -> Plan:
    """Find out which tickers the rows are of, and which of them count."""
    place = plan.columns.places.get(Meaning.TICKER)
    if place is None:
        return plan
    seen = _distinct(table.top.columns[place])
    if len(seen) > 1 and hints.symbol is None:
        return replace(plan, only=pick(table, sorted(seen), None))
    if len(seen) == 1 and hints.symbol is None:
        return replace(plan, ticker=seen.pop())
    for batch in table.batches({place: pa.string()}):
        seen |= _distinct(batch.columns[place])
    if len(seen) == 1:
        return replace(plan, ticker=seen.pop())
    only = pick(table, sorted(seen), hints.symbol)
    return replace(plan, only=only, ticker=only)


def _distinct(column: pa.Array) -> set[str]:
    cells = pc.utf8_trim_whitespace(pc.unique(pc.cast(column, pa.string())).drop_null()).to_pylist()
    return {cell for cell in cells if cell}


class RowReader:
    """Turns batches of one table into price rows; UnreadableFileError names the line and column at fault."""

    def __init__(self, table: Table, plan: Plan) -> None:
        self._table = table
        self._plan = plan

    def rows(self) -> Generator[PriceRows]:
        """Yield the rows batch by batch."""
        for batch in self._table.batches(self._plan.types):
            rows = self._rows(self._chosen(batch))
            if len(rows):
                yield rows

    def _chosen(self, batch: Batch) -> Batch:
        """Keep the rows of the ticker that counts; without one, refuse a second."""
        place = self._plan.columns.places.get(Meaning.TICKER)
        if place is None:
            return batch
        tickers = pc.utf8_trim_whitespace(pc.cast(batch.columns[place], pa.string()))
        wanted = pc.fill_null(pc.equal(tickers, self._plan.only or self._plan.ticker), fill_value=False)
        if pc.all(wanted).as_py():
            return batch
        if self._plan.only is None:
            row = pc.index(wanted, value=False).as_py()
            other, first = tickers[row].as_py(), self._plan.ticker
            refuse(
                self._table,
                int(batch.line[row]),
                place,
                f"{shown(other)} is another ticker than {first}; say which symbol",
            )
        columns = {each: column.filter(wanted) for each, column in batch.columns.items()}
        return Batch(batch.line[wanted.to_numpy(zero_copy_only=False)], columns)

    def _rows(self, batch: Batch) -> PriceRows:
        places = self._plan.columns.places
        time = self._times(batch)
        open_, high, low, close = (self._numbers(batch, places[meaning]) for meaning in PRICES)
        volume, adj_close, splits, dividends = (
            self._numbers(batch, places[meaning]) if meaning in places else None for meaning in BESIDES
        )
        if self._plan.columns.layout.adjusted:
            splits = dividends = None
            adj_close = close if self._plan.timing.daily else None  # intraday prices are not adjusted for dividends
        return PriceRows(
            batch.line,
            time,
            open_,
            high,
            low,
            close,
            np.zeros(len(time)) if volume is None else volume,
            adj_close,
            # Yahoo writes 0 where Alpha Vantage and Quandl write 1: no split on this day.
            None if splits is None else np.where(splits == 0, 1.0, splits),
            dividends,
        )

    def _times(self, batch: Batch) -> Integers:
        try:
            return self._plan.timing.times(stamps_in(batch.columns, self._plan.columns))
        except (BadStampError, LocalTimeError) as error:
            refuse(self._table, int(batch.line[error.row]), self._plan.columns.places[Meaning.TIME], str(error))

    def _numbers(self, batch: Batch, place: int) -> Floats:
        try:
            return numbers(batch.columns[place], self._plan.format.mark)
        except BadCellError as error:
            refuse(self._table, int(batch.line[error.row]), place, str(error))
