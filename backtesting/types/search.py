"""What an optimiser may try: the values of each parameter, and all of their combinations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Discriminator, Field, Tag, model_validator

from backtesting.types.input import Input

WHOLE_STEP = 1e-9
MOST_VALUES = 100_000
Scalar = bool | int | float | str


@dataclass(frozen=True, slots=True)
class SearchRange:
    """The values of a parameter that an optimiser may try: from `low` to `high`, both included, `step` apart."""

    low: float
    high: float
    step: float

    def __post_init__(self) -> None:
        if not (self.step > 0 and self.low < self.high and abs(self._steps - round(self._steps)) < WHOLE_STEP):
            raise ValueError(
                f"high has to be one or more whole steps above low, and step above 0; got low {self.low:g}, "
                f"high {self.high:g}, step {self.step:g}"
            )

    def __len__(self) -> int:
        return round(self._steps) + 1

    @property
    def values(self) -> tuple[float, ...]:
        """Every value, whole numbers where low and step are whole."""
        return tuple(self.low + number * self.step for number in range(len(self)))

    @property
    def _steps(self) -> float:
        return (self.high - self.low) / self.step


class ValueRange(Input):
    """A range as a user writes it: `low`, `high` and `step`, both ends included."""

    low: int | float
    high: int | float
    step: int | float

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if len(SearchRange(self.low, self.high, self.step)) > MOST_VALUES:
            raise ValueError(f"more than {MOST_VALUES:,} values from {self.low} to {self.high}: raise step")
        return self

    @property
    def values(self) -> tuple[float, ...]:
        """Every value, whole numbers where low and step are whole."""
        return SearchRange(self.low, self.high, self.step).values


Values = Annotated[tuple[Scalar, ...], Field(strict=False, min_length=1, max_length=MOST_VALUES)]


def _kind_of_values(given: object) -> str:
    return "a list" if isinstance(given, list | tuple) else "a range"


class SearchSpace(Input):
    """The values to try of each parameter: a range, or a list; parameters that are not named stay as they are."""

    parameters: Annotated[
        Mapping[
            str,
            Annotated[
                Annotated[ValueRange, Tag("a range")] | Annotated[Values, Tag("a list")], Discriminator(_kind_of_values)
            ],
        ],
        Field(min_length=1),
    ]

    def values(self, name: str) -> tuple[Scalar, ...]:
        """Return the values of a parameter, in the order told and each once."""
        told = self.parameters[name]
        return tuple(dict.fromkeys(told.values if isinstance(told, ValueRange) else told))
