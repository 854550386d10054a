"""Runs as one page of HTML for a browser: offline, interactive, safe to open whatever its names say."""

from backtesting.reporting.html.chart import CURVES, chart_of, chart_page
from backtesting.reporting.html.page import page

__all__ = ["CURVES", "chart_of", "chart_page", "page"]
