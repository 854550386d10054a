"""The report as a browser gets it: one offline file, whole, and harmless whatever the names in it say."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from backtesting.diagnostics.verdict import verdict
from backtesting.metrics import METRICS
from backtesting.reporting.completed_run import CompletedRun
from backtesting.reporting.html import page
from backtesting.reporting.text import value
from backtesting.types import Asset, AssetClass, Diagnostic, Flag, Timeframe, Trade, Weight
from tests.fixtures.browser import browse, in_a_browser
from tests.fixtures.completed import MINUTE, completed, of_every_size, walk
from tests.fixtures.in_memory import Desk

HALF_A_MEGABYTE = 500_000
LOADING = {"src", "href", "srcset", "action", "data", "poster", "background", "formaction", "style"}


@dataclass
class Reader(HTMLParser):
    """Collects the elements, the attributes, the texts and the rows of tables."""

    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str | None]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script":
            self.scripts[-1] += data
        elif self.lasttag != "style":
            self.said.append(data)
        if self.lasttag in {"td", "th"} and data.strip():
            self.rows[-1][-1] += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def data_of(reader: Reader) -> dict[str, Any]:
    """Read the curves as strictly as a browser does."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(reader.scripts[0], parse_constant=refuse)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def runs() -> dict[str, CompletedRun]:
    return of_every_size()


@pytest.fixture(scope="module")
def ibm(runs: dict[str, CompletedRun]) -> CompletedRun:
    return runs["13 years"]


def test_nothing_is_loaded_from_anywhere_and_no_other_script_can_run(ibm: CompletedRun) -> None:
    html = page([ibm])

    reader = read(html)
    assert not LOADING & {name for name, _ in reader.attributes}
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    assert not {"link", "img", "iframe", "object", "embed", "base"} & set(reader.tags)
    assert not re.search(r"@import|url\(", html.split("<style>")[1].split("</style>")[0])
    assert re.findall(r"https?://[^\s\"']+", html) == ["https://github.com/leeoniya/uPlot"], "in uPlot's own notice"
    (policy,) = [content for _, content in reader.attributes if content and content.startswith("default-src")]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-")
    assert "unsafe" not in policy.split("script-src")[1]


@pytest.mark.parametrize("size", ["13 years", "20 years", "minutes", "three trades", "no trades", "one open trade",
                                  "one day", "four days"])  # fmt: skip
def test_a_report_is_small_whole_and_free_of_nan_whatever_the_run(runs: dict[str, CompletedRun], size: str) -> None:
    run = runs[size]

    html = page([run])

    reader = read(html)
    assert len(html.encode()) < HALF_A_MEGABYTE
    assert not re.search(r"\b(NaN|nan|inf|Infinity|None)\b", " ".join(reader.said))
    (curves,) = data_of(reader)["runs"]
    assert curves["time"][0] == run.equity.time[0] // 10**9 and curves["time"][-1] == run.equity.time[-1] // 10**9
    assert min(curves["drawdown"]) == pytest.approx(run.summary.metrics["max_drawdown"], rel=1e-6)
    assert [row[0] for row in reader.rows if row[0].isdigit()] == [str(trade.number) for trade in run.trades]


def test_the_verdict_comes_first_then_equity_trades_metrics_and_provenance(ibm: CompletedRun) -> None:
    html = page([ibm])

    order = [html.index(f'id="{part}"') for part in ("verdict", "equity", "trades", "metrics", "provenance")]
    assert order == sorted(order)
    said = " ".join(read(html).said)
    # the figures of README
    assert "It made no money: -26.02% after costs, where buy and hold made 129.00%." in said
    assert "Buy and hold with the same time in the market: 76.67%." in said
    assert "above 0 is 41.44%, before counting what else was tried" in said
    assert "above what luck alone shows, with 1 tried on this market, has 41.44%." in said
    assert order[0] < html.index("It made no money") < html.index("serious, ") < html.index("<table")


def test_the_reviewers_points_come_before_the_warnings_that_none_of_them_tells(ibm: CompletedRun) -> None:
    point = Diagnostic("few_trades", Weight.SERIOUS, "only 3 trades <b>", "test a longer period")
    told, untold = Flag("few_trades", "told by the point"), Flag("costs_assumed", "told by no point")
    run = replace(ibm, summary=replace(ibm.summary, diagnostics=(point,), flags=(told, untold)))

    for html in (page([run]), page([run, ibm])):
        said = " ".join(read(html).said)
        assert "few_trades :  only 3 trades <b>. Test a longer period." in said
        assert said.index("only 3 trades") < said.index("told by no point")
        assert "told by the point" not in said


def test_a_run_that_nobody_reviewed_says_so_and_still_warns(ibm: CompletedRun) -> None:
    summary = replace(ibm.summary, diagnostics=None, flags=(Flag("few_trades", "only 3 trades"),))
    run = replace(ibm, summary=summary)

    said = " ".join(read(page([run])).said)

    assert "Nobody has reviewed this run." in said and "only 3 trades" in said
    assert ["believe it?", "not reviewed", verdict(ibm.summary)] in read(page([run, ibm])).rows


def test_every_trade_and_every_metric_with_its_definition_is_there(ibm: CompletedRun) -> None:
    reader = read(page([ibm]))

    rows = {row[0]: row[1:] for row in reader.rows}
    for trade in ibm.trades:
        told = rows[str(trade.number)]
        assert told[1] == f"{trade.entry_date:%Y-%m-%d}"
        assert told[0] == trade.direction
        assert told[7:9] == [f"{trade.pnl:,.2f}", f"{trade.pnl_percent:.2f}"]
        assert [float(told[9]), float(told[10])] == pytest.approx([100 * trade.mae, 100 * trade.mfe], abs=0.0051)  # type: ignore[operator]  # known
        assert told[11] == (trade.exit_reason or "")
    for metric in METRICS:
        shown = value(metric.key, ibm.summary.metrics[metric.key], ibm.summary.undefined.get(metric.key, ""))
        assert rows[metric.key] == [shown, metric.unit, metric.definition]
    assert rows["data hash"] == [ibm.summary.provenance["data_hash"]]
    assert rows["version of vectorbt"] == [ibm.summary.provenance["versions"]["vectorbt"]]


def test_a_trade_stored_before_its_excursions_were_kept_leaves_them_empty(ibm: CompletedRun) -> None:
    old = replace(ibm, trades=[replace(ibm.trades[0], mae=None, mfe=None)])

    rows = {row[0]: row[1:] for row in read(page([old])).rows}

    assert rows["0"][9:11] == ["", ""]


def test_very_many_trades_are_cut_short_and_it_says_so() -> None:
    desk = Desk(walk(60_000, MINUTE, 0.001), Asset("X", "X", AssetClass.CRYPTO, "USD"), Timeframe.M1)
    many = completed(desk, timeframe="1m", parameters={"fast_period": 2, "slow_period": 5})

    html = page([many] * 6)

    assert len(many.trades) > 5000
    assert f"The first 200 of {len(many.trades):,} trades; an export as CSV holds them all." in html
    assert len(html.encode()) < HALF_A_MEGABYTE


def test_names_that_are_hostile_are_shown_and_do_nothing(ibm: CompletedRun) -> None:
    symbol = "</SCRIPT><SCRIPT>ALERT(1)//"
    asset = Asset(symbol, '"><img src=x onerror=alert(1)><!--', AssetClass.EQUITY, "<b>$title</b>")
    hostile = replace(completed(Desk(walk(200), asset), "macd"), asset=asset)

    for html in (page([hostile]), page([hostile, ibm])):
        reader = read(html)
        assert reader.tags.count("script") == 4
        assert "img" not in reader.tags and symbol in " ".join(reader.said)
        assert asset.name in " ".join(reader.said)
        assert asset.currency == data_of(reader)["unit"] or symbol in data_of(reader)["runs"][0]["name"]


def test_runs_stand_side_by_side_with_what_makes_them_differ(runs: dict[str, CompletedRun]) -> None:
    one, other, third = runs["13 years"], runs["one open trade"], runs["20 years"]

    alike, unlike = page([one, other]), page([one, third])

    reader = read(alike)
    assert "All were run over the same period of the same symbol, on the same terms." in alike
    assert "These runs differ in start date, end date, adjustment: compare their figures with care." in unlike
    assert ["total return", "-26.02%", "137.26%"] in reader.rows
    shown = data_of(reader)
    assert shown["unit"] == "growth of 1"
    # buy and hold of the same series is drawn once
    assert ["held" in each for each in shown["runs"]] == [True, False]
    assert [each["equity"][-1] for each in shown["runs"]] == pytest.approx([1 - 0.260166, 2.372582], rel=1e-4)


def test_a_run_stored_without_its_benchmark_is_drawn_alone(ibm: CompletedRun) -> None:
    (curves,) = data_of(read(page([replace(ibm, benchmark=None)])))["runs"]

    assert "held" not in curves


@in_a_browser
@pytest.mark.parametrize(
    "choose",
    [
        lambda runs: [runs["13 years"]],
        lambda runs: [runs["one day"]],
        lambda runs: [runs["minutes"]],
        lambda runs: list(runs.values())[:6],
    ],
    ids=["13 years", "one day", "minutes", "six runs"],
)
def test_a_browser_draws_both_curves_and_complains_of_nothing(
    runs: dict[str, CompletedRun], choose: Callable[[dict[str, CompletedRun]], list[CompletedRun]], tmp_path: Path
) -> None:
    document, complaints = browse(page(choose(runs)), tmp_path)

    assert complaints == ""
    assert 'data-drawn="2"' in document
    assert document.count("<canvas") == 2
    assert "<button>profit</button>" in document or "No trades." in document


@in_a_browser
def test_a_browser_runs_no_script_that_is_not_ours(ibm: CompletedRun, tmp_path: Path) -> None:
    foreign = page([ibm]).replace("</main>", "</main><script>document.body.id = 'taken'</script>")

    document, complaints = browse(foreign, tmp_path)

    assert "Content Security Policy" in complaints
    assert 'id="taken"' not in document


@in_a_browser
@pytest.mark.parametrize(
    ("column", "place", "measured"),
    [("profit", 8, lambda trade: f"{trade.pnl:,.2f}"), ("MAE %", 10, lambda trade: f"{100 * trade.mae:.2f}")],
)
def test_a_click_on_a_column_sorts_the_trades_and_another_turns_them(
    ibm: CompletedRun, tmp_path: Path, column: str, place: int, measured: Callable[[Trade], str]
) -> None:
    html = re.sub(r"<meta http-equiv[^>]+>", "", page([ibm]))
    click = (
        "[...document.querySelectorAll('.sortable button')].find(each => each.textContent === '"
        + column
        + "').click();"
    )
    expected = sorted(map(measured, ibm.trades), key=lambda text: float(text.replace(",", "")))

    once, twice = (
        browse(html.replace("</body>", f"<script>{click * times}</script></body>"), tmp_path)[0] for times in (1, 2)
    )

    shown = [[row[place] for row in read(each).rows if row[0].isdigit()] for each in (once, twice)]
    assert shown == [expected, expected[::-1]]
    assert 'aria-sort="ascending"' in once and 'aria-sort="descending"' in twice
