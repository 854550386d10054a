"""Tools that look back at a stored run: why a trade was made, and whether all of it can be repeated."""

from collections.abc import Callable
from typing import Annotated

from mcp.types import CallToolResult
from pydantic import Field

from backtesting.explanation import explain
from backtesting.reporting.audit import explanation_lines, verification_lines
from backtesting.verification import verify
from mcp_server.schemas.answers import reply
from mcp_server.schemas.audit import ExplanationReply, VerificationReply
from mcp_server.services import Services

RunId = Annotated[str, Field(max_length=64)]  # described once, where runs are read


class AuditTools:
    """The tools; the services are opened by the first call that needs them."""

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    def explain_trade(self, backtest_id: RunId, number: int) -> Annotated[CallToolResult, ExplanationReply]:
        """Explain a trade: rule, indicators, fills, costs, exit.

        Use it to ask why.
        """
        services = self._services()
        found = explain(services.engine, services.runs, services.run(backtest_id).id, number)
        return reply(ExplanationReply.of(found), "\n".join(explanation_lines(found)))

    def verify_run(self, backtest_id: RunId) -> Annotated[CallToolResult, VerificationReply]:
        """Replay a stored run and tell what changed.

        Use it before trusting an old run.
        """
        services = self._services()
        found = verify(services.engine, services.runs, services.run(backtest_id).id)
        return reply(VerificationReply.of(found), "\n".join(verification_lines(found)))
