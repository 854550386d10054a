"""What everything that comes in has in common."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from backtesting.errors import InvalidInputError


class Input(BaseModel):
    """Base of what comes in: frozen, typed strictly, unknown fields refused, no NaN and no infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=Input)


def validated(model: type[Model], **fields: Any) -> Model:
    """Make an input of the model; InvalidInputError lists all that is wrong with the fields."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise InvalidInputError.of(error, known=model.model_fields) from error
