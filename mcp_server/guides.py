"""Texts for whoever wants to know more than an answer says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mcp.server import MCPServer

from backtesting.judgement import MEANINGS

READING_RESULTS = """\
# Reading a result

1. The verdict and the diagnostics first: at most five, the gravest on top, each with what to do. The warnings are all
   the facts they rest on, and some more.
2. Then buy and hold beside the strategy, from the same bar at the same costs, and buy and hold with the same time in
   the market: a strategy that is in the market half of the time should beat half of the market.
3. Then risk: max drawdown is what one would have had to sit through; Sharpe ratios below about 0.5 are hardly
   distinguishable from luck in ten years of days. `psr` is the probability that the true Sharpe ratio is above 0,
   before counting what else was tried; `dsr` is that it is above what luck alone shows, and `trials_counted` tells by
   how many tries on this market. Choose among many runs by `dsr`.
4. Then the trades: fewer than 30 say little. A profit from one or two of them is an anecdote.
5. `cost_drag` is what costs took. Where it is large, the result hangs on how well the costs were guessed.

A walk-forward (`walk_forward`) says what a way of choosing parameters would have made: read its one curve out of sample
and what speaks against it, not its best window. Each window starts flat and is closed at its end, so a slow trend
follower, which waits for its next signal after every border, looks worse there than it would be. Whoever repeats it
with other windows until one pleases has optimised again.

A metric that is undefined is null, with the reason in `undefined`; it is never 0. Fractions are fractions: 0.05 is 5 %.
"""

RULES = """\
# The rules of the simulation

- A signal is decided at the close of a bar, from that bar and earlier ones, and filled at the open of the next (`fill`
  may say the next close, or the same close, which nobody can trade and which is flagged).
- Every fill pays commission and slippage; without `costs` those of the asset's class are assumed. Zero has to be asked
  for.
- Entry and exit at the same close: the exit wins. A position still open at the end is valued at the last close.
- At an open, scheduled exits come first, then stops and targets that the open has passed (filled there), then entries.
  Inside a bar the stop comes before the target, on the bar of the entry too. Stops pay slippage, targets are limit
  orders that have to be traded through. Bars that leave the order open are counted (`ambiguous_bars`), and
  `total_return_optimistic` is the return if they had gone the better way.
- A size is reckoned with the equity at the decision, costs inside. No leverage unless `max_leverage` allows it; what
  cash cuts is counted (`clipped_orders`), what is too small is not sent (`unfilled_orders`).
- Shorts are fully collateralised and pay borrow by the day. Below a quarter of the position's value the account gets a
  margin call at the next open; without equity trading ends (`bankrupt`).
- Ratios are made of session returns and annualised by the market's calendar: 252 for stocks, 260 for currencies, 365
  for crypto.
- Prices are adjusted for splits and dividends where the source gives an adjusted close; raw ones on request.
- The bars before `start_date` warm the indicators up; until every indicator is defined, strategy and benchmark hold
  cash.
- The same request on the same data gives the same numbers, bit for bit: each run keeps the hashes of both.
"""


def metrics_guide() -> str:
    """Return every metric with its unit and definition."""
    rows = [f"- `{key}` ({unit}): {definition}" for key, (unit, definition) in MEANINGS.items()]
    return "\n".join(["# Metrics", "", *rows, ""])


@dataclass(frozen=True, slots=True)
class Guide:
    """A text, and what it is about."""

    title: str
    about: str
    text: Callable[[], str]


GuideName = Literal["reading-results", "rules", "metrics"]
GUIDES: Mapping[GuideName, Guide] = {
    "reading-results": Guide(
        "How to read a result", "What to look at first, and what to doubt.", lambda: READING_RESULTS
    ),
    "rules": Guide(
        "The rules of the simulation", "When orders fill, what they cost, how ratios are annualised.", lambda: RULES
    ),
    "metrics": Guide("Metrics", "Every metric with its unit and definition.", metrics_guide),
}


def add_guides(server: MCPServer[Any]) -> None:
    """Offer each guide as `guide://` and its name."""
    for name, guide in GUIDES.items():
        offered = server.resource(
            f"guide://{name}", title=guide.title, description=guide.about, mime_type="text/markdown", name=name
        )
        offered(guide.text)
