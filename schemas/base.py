"""What every canonical model shares: strictness, absence instead of null, and times with an offset.

Owns the pydantic configuration. Never knows a particular message.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")
_NUMBERS = (int, float, Decimal)

# RFC 3339, section 5.6. A leap second is refused: no clock here can represent it.
RFC3339_PATTERN = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)


class _NeverNull:
    """Turns `T | None` into "a T, or not there at all": null is refused on the way in."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        if schema["type"] == "nullable":
            inner: CoreSchema = schema["schema"]
            return inner
        return schema


class _Rfc3339:
    """Accepts RFC 3339 text with an offset (and aware datetimes in Python); nothing else that ISO 8601 allows."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        aware = core_schema.datetime_schema(tz_constraint="aware", strict=False)
        text = core_schema.chain_schema([core_schema.str_schema(pattern=RFC3339_PATTERN, strict=True), aware])
        return core_schema.json_or_python_schema(
            json_schema=text,
            python_schema=core_schema.union_schema(
                [core_schema.datetime_schema(tz_constraint="aware", strict=True), text]
            ),
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"type": "string", "format": "date-time", "pattern": RFC3339_PATTERN}


# A field that may be absent. In Python it reads as None, on the wire it is not there; null is refused.
Maybe = Annotated[T | None, _NeverNull()]
# A moment with its offset (RFC 3339); more than microseconds are cut.
Timestamp = Annotated[datetime, _Rfc3339()]

# Free text of moderate length: names, places, references. The limit keeps one field from filling a message.
Text = Annotated[str, StringConstraints(min_length=1, max_length=512)]
# A word of a vocabulary, in lower case with hyphens.
Token = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")]


class Body(BaseModel):
    """Base of everything canonical: strict, immutable, unknown fields refused."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        ser_json_inf_nan="constants",
        allow_inf_nan=False,
    )


def present(**fields: Any) -> dict[str, Any]:
    """Return only the fields that hold something, for building a model from what a document had."""
    # Zero and false are values; whatever else is false holds nothing.
    return {name: value for name, value in fields.items() if value or isinstance(value, _NUMBERS)}


def rfc3339(moment: datetime) -> str:
    """Write an aware datetime as RFC 3339 with its own offset; UTC as `Z`."""
    if moment.tzinfo is None:
        raise ValueError("a time without an offset cannot be written as RFC 3339")
    text = moment.isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text
