"""The view schemas: the bodies as a recipient may get them, with anything withheld.

Owns the loosened models: the same fields, none of them required, none constrained in form, since a
token may stand for a value. Only what the broker delivers is read so, never what is sent to it.
"""

import contextlib
import types
import typing
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, create_model

from schemas.alert import Alert
from schemas.base import Maybe, Timestamp
from schemas.envelope import ALERT_SCHEMA, Envelope, Message, faults_from, parse
from schemas.errors import InvalidMessage
from schemas.shipment import Shipment


class View(Envelope):
    """A message of which something is withheld from this recipient: `withheld` says what."""

    withheld: str
    # The moment may be what is withheld.
    time: Maybe[Timestamp] = None  # type: ignore[assignment]
    data: Any


@cache
def loosened(model: type[BaseModel]) -> type[BaseModel]:
    """Return a model like this one in which every field may be absent and may hold a token."""
    fields: dict[str, Any] = {
        name: (Maybe[_loose(field.annotation)], Field(None, description=field.description))  # type: ignore[misc]
        for name, field in model.model_fields.items()
    }
    return create_model(
        f"{model.__name__}View",
        __config__=ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True),
        __doc__=f"{model.__name__}, of which parts may be withheld.",
        **fields,
    )


def _loose(annotation: Any) -> Any:
    """Keep the shape (models, lists, numbers, booleans); everything spelt as text becomes plain text."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(annotation, type) and origin is None:
        if issubclass(annotation, BaseModel):
            return loosened(annotation)
        # A token may stand for a number or a truth value too.
        return annotation | str if issubclass(annotation, int | float) else str
    if origin is list:
        return list[_loose(arguments[0])]  # type: ignore[misc]
    if origin is Literal:
        return str
    if origin is typing.Annotated:
        return _loose(arguments[0])
    inner = [_loose(argument) for argument in arguments if argument is not type(None)]
    result = inner[0]
    for one in inner[1:]:
        result = result | one
    return result


def knows(model: type[BaseModel], segments: Sequence[str]) -> bool:
    """Tell whether a JSON pointer, split, whose segments may be `*`, can mean a field of this model."""
    here: list[Any] = [model]
    for segment in segments:
        further: list[Any] = []
        for annotation in here:
            for one in _alternatives(annotation):
                if typing.get_origin(one) is list:
                    if segment == "*" or segment.isdecimal():
                        further.append(typing.get_args(one)[0])
                elif isinstance(one, type) and issubclass(one, BaseModel):
                    names = one.model_fields if segment == "*" else [segment]
                    further += [one.model_fields[name].annotation for name in names if name in one.model_fields]
        here = further
    return bool(here)


def _alternatives(annotation: Any) -> list[Any]:
    """Undo `Annotated`, optional and union: what a value may be."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _alternatives(arguments[0])
    if origin is typing.Union or origin is types.UnionType:
        return [one for argument in arguments for one in _alternatives(argument)]
    return [annotation]


def closed_words(model: type[BaseModel]) -> frozenset[tuple[str, ...]]:
    """Return the fields, as split pointers with `*` for the places in lists, that hold words of closed lists."""
    found: set[tuple[str, ...]] = set()

    def look(annotation: Any, path: tuple[str, ...]) -> None:
        for one in _alternatives(annotation):
            if typing.get_origin(one) is Literal:
                found.add(path)
            elif typing.get_origin(one) is list:
                look(typing.get_args(one)[0], (*path, "*"))
            elif isinstance(one, type) and issubclass(one, BaseModel):
                for name, field in one.model_fields.items():
                    look(field.annotation, (*path, name))

    look(model, ())
    return frozenset(found)


def read(body: bytes) -> Message | View:
    """Read what the broker delivered: the message itself, or a view of it.

    Raises:
        InvalidMessage: neither.
    """
    try:
        content = pydantic_core.from_json(body)
    except ValueError:
        return parse(body)
    if not isinstance(content, dict) or "withheld" not in content:
        return parse(body)
    # Most views lack nothing that is required, and are messages like any other.
    with contextlib.suppress(InvalidMessage):
        return parse(body)
    try:
        view = View.model_validate_json(body)
        model: type[BaseModel] = Alert if view.dataschema == ALERT_SCHEMA else Shipment
        data = loosened(model).model_validate(content.get("data", {}))
    except pydantic_core.ValidationError as error:
        raise InvalidMessage(faults_from(error, tagged=False)) from None
    return view.model_copy(update={"data": data})
