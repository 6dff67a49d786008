"""Exports the wire contract as JSON Schema (2020-12), for agencies that do not use Python.

Owns `schemas/json/`: `python -m schemas.export` writes it, a test keeps it from drifting. Never says more
or less than the models.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from schemas.alert import Alert
from schemas.envelope import AlertMessage, Envelope, ReceiptMessage, ShipmentMessage
from schemas.receipt import Receipt
from schemas.shipment import Shipment
from schemas.view import loosened

FOLDER = Path(__file__).parent / "json"

_MODELS: dict[str, tuple[str, type[BaseModel]]] = {
    "envelope": ("urn:cbm:schema:envelope", Envelope),
    "shipment-1": ("urn:cbm:shipment:1", Shipment),
    "alert-1": ("urn:cbm:alert:1", Alert),
    "receipt-1": ("urn:cbm:receipt:1", Receipt),
    "shipment-1-view": ("urn:cbm:schema:shipment-1-view", loosened(Shipment)),
    "alert-1-view": ("urn:cbm:schema:alert-1-view", loosened(Alert)),
    "shipment-message": ("urn:cbm:schema:shipment-message", ShipmentMessage),
    "alert-message": ("urn:cbm:schema:alert-message", AlertMessage),
    "receipt-message": ("urn:cbm:schema:receipt-message", ReceiptMessage),
}


class _WireSchema(GenerateJsonSchema):
    """Without the titles that make generated Java and TypeScript ugly, and without null."""

    schema_dialect = "https://json-schema.org/draft/2020-12/schema"

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> Any:
        # An absent field has no default on the wire; pydantic's None would be written as null.
        return self.generate_inner(schema["schema"])


def documents() -> dict[str, dict[str, Any]]:
    """Return every schema by its file name without suffix."""
    result: dict[str, dict[str, Any]] = {}
    for name, (id_, model) in _MODELS.items():
        schema = model.model_json_schema(schema_generator=_WireSchema, mode="validation")
        result[name] = {"$schema": _WireSchema.schema_dialect, "$id": id_} | schema
    return result


def text_of(document: dict[str, Any]) -> str:
    """Return a schema as it stands in its file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all schemas into `schemas/json/`."""
    FOLDER.mkdir(exist_ok=True)
    for name, document in documents().items():
        path = FOLDER / f"{name}.json"
        path.write_text(text_of(document))
        sys.stderr.write(f"{path.name}\n")


if __name__ == "__main__":
    main()
