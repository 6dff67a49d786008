"""The canonical models of cbm: envelope, shipment, alert, receipt. Pydantic and the standard library only."""

from schemas.alert import Alert
from schemas.envelope import AlertMessage, Message, ReceiptMessage, ShipmentMessage, Tlp, build, parse
from schemas.errors import CbmError, Fault, InvalidMessage
from schemas.receipt import Receipt
from schemas.shipment import Shipment

__all__ = [
    "Alert",
    "AlertMessage",
    "CbmError",
    "Fault",
    "InvalidMessage",
    "Message",
    "Receipt",
    "ReceiptMessage",
    "Shipment",
    "ShipmentMessage",
    "Tlp",
    "build",
    "parse",
]
