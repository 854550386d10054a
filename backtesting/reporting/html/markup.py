"""The few elements a report is made of; every text is escaped here and nowhere else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Markup:
    """HTML that is finished; any other text is escaped."""

    html: str

    def __add__(self, other: "Markup") -> "Markup":
        return Markup(self.html + other.html)


NOTHING = Markup("")


def element(tag: str, *content: str | Markup, **attributes: str) -> Markup:
    """Return an element; an attribute's trailing underscore is dropped (`class_`)."""
    given = "".join(f' {name.rstrip("_")}="{escape(value)}"' for name, value in attributes.items())
    return Markup(f"<{tag}{given}>{''.join(map(_html, content))}</{tag}>")


def joined(parts: Iterable[Markup]) -> Markup:
    """Return the parts one after another."""
    return Markup("".join(part.html for part in parts))


def section(name: str, heading: str, *content: str | Markup) -> Markup:
    """Return a part of the page that can be linked to."""
    return element("section", element("h2", heading), *content, id=name)


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Markup]], kind: str = "") -> Markup:
    """Return a table that scrolls where it is too wide; the first cell of a row is its heading."""
    head = element("thead", element("tr", *(element("th", column, scope="col") for column in columns)))
    body = element("tbody", *(_row(row) for row in rows))
    return element("div", element("table", head, body, class_=kind), class_="wide", tabindex="0")


def items(texts: Iterable[str | Markup]) -> Markup:
    """Return a list."""
    return element("ul", *(element("li", text) for text in texts))


def _row(row: Sequence[str | Markup]) -> Markup:
    first, *others = row
    return element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in others))


def _html(content: str | Markup) -> str:
    return content.html if isinstance(content, Markup) else escape(content)
