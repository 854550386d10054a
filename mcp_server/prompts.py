"""Questions worth asking, worked out for the model: which tools to call in which order, and what to doubt."""

from typing import Annotated, Any

from mcp import MCPError
from mcp.server import MCPServer
from mcp.types import INVALID_PARAMS
from pydantic import Field

Symbol = Annotated[str, Field(description="A stored symbol, e.g. IBM")]
StrategyId = Annotated[str, Field(description="One of list_strategies")]
Timeframe = Annotated[str, Field(description="1m, 5m, 15m, 30m, 1h, 4h, 1d or 1w")]
Metric = Annotated[str, Field(description="What to rank by, e.g. sharpe_ratio")]
RunId = Annotated[str, Field(description="A backtest_id, bt- and 12 hex digits")]

HONESTY = (
    "Say fractions as percent. Tell the verdict and the diagnostics of each run, and whether buy and hold with the "
    "same time in the market did better. Do not advise to trade."
)


def add_prompts(server: MCPServer[Any]) -> None:
    """Offer every prompt."""
    for prompt, title in PROMPTS:
        server.prompt(title=title)(prompt)


async def readable_refusals(ctx: Any, call_next: Any) -> Any:
    """Answer a prompt that is unknown or lacks an argument as the protocol's invalid parameters, with the reason."""
    try:
        return await call_next(ctx)
    except ValueError as error:
        if ctx.method != "prompts/get":
            raise
        raise MCPError(code=INVALID_PARAMS, message=str(error)) from error


def first_backtest(
    symbol: Symbol = "IBM", strategy_id: StrategyId = "sma_crossover", timeframe: Timeframe = "1d"
) -> str:
    """Run one backtest and explain its result to somebody who has never seen one."""
    return (
        f"Test the strategy {strategy_id} on {symbol} over all stored {timeframe} bars with 100,000 of capital and "
        "default parameters: run_backtest (list_strategies and get_market_data tell what there is). Then explain "
        "plainly what the strategy did, what it earned beside buy and hold, how deep it fell, and whether to believe "
        f"it. {HONESTY}"
    )


def research_session(
    symbol: Symbol, idea: Annotated[str, Field(description="What might make money, and why")] = ""
) -> str:
    """Test an idea as a researcher would: a hypothesis first, then few and honest trials."""
    return (
        f"I want to research {symbol}. My idea: {idea or 'none yet, propose one with a reason'}.\n"
        "1. Write down a hypothesis that a result could contradict, and which metric at which size would.\n"
        "2. get_market_data: is the history long and clean enough?\n"
        "3. Choose a strategy from list_strategies and its parameters by reasoning, not by trying; validate_strategy.\n"
        "4. run_backtest on the first two thirds of the history; change little, and count every trial.\n"
        "5. Only then run_backtest once on the last third, with the same parameters.\n"
        "6. Report both, the number of trials, and what would change your mind. A failed idea is a result too. "
        f"{HONESTY}"
    )


def is_it_overfit(backtest_id: RunId) -> str:
    """Look for the reasons why a good backtest may be luck."""
    return (
        f"Is the result of {backtest_id} skill or luck? get_backtest_results for its summary, trades, periods and "
        "drawdowns; get_metrics for psr, sharpe_ci95_low, sharpe_ratio, benchmark_sharpe, exposure_matched_return, "
        "cost_drag, total_trades and profit_factor. Look for: few trades, a profit from few of them or from one "
        "period, a result that costs or one bar of delay would take away, parameters that look chosen. Then "
        "run_backtest with neighbouring parameters and on another symbol: a real edge does not vanish at once. Give a "
        "verdict with the evidence for it. "
        f"{HONESTY}"
    )


def compare_strategies(symbol: Symbol = "IBM", timeframe: Timeframe = "1d", metric: Metric = "sharpe_ratio") -> str:
    """Compare the strategies on one symbol, all on the same terms."""
    return (
        f"Compare the strategies of list_strategies on {symbol}: run_backtest for each over the same {timeframe} "
        "bars with the same capital and costs and its default parameters, nothing tuned. Show one table, ranked by "
        f"{metric}: total return, Sharpe ratio, max drawdown, trades, time in the market, beside buy and hold. Say "
        f"how many of them would look good by luck alone. {HONESTY}"
    )


def import_my_data(path: Annotated[str, Field(description="A price file, a folder or an archive")]) -> str:
    """Bring in a price file, check it, and say whether a backtest on it can be believed."""
    return (
        f"Import {path}: import_market_data with dry_run first. Tell me how the file was read (layout, order of day "
        "and month, zone, symbol, timeframe) and every finding; ask me where it is ambiguous. When it is right, "
        "import it, look at it with get_market_data, and say what gaps, splits or missing adjustment would do to a "
        "backtest."
    )


PROMPTS = (
    (first_backtest, "A first backtest"),
    (research_session, "A research session"),
    (is_it_overfit, "Is it overfit?"),
    (compare_strategies, "Compare the strategies"),
    (import_my_data, "Import my data"),
)
