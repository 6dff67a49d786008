"""What the two bindings of EPCIS share as streams: which documents and events there are, limits, chunks of bytes.

Owns the bounds within which one event after the other is taken out of a document of any length. Never knows what an
event means.
"""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from schemas.errors import Fault, TranslationError

CHUNK_BYTES = 64 * 1024
# An encoding, a byte-order mark and nearly always a document type stand within these.
HEAD_BYTES = 512
# One event: 100 000 EPCs are a ship full of cartons.
MAX_NODES = 200_000
# The longest text within an event, between two tokens.
MAX_TOKEN_BYTES = 4 * 1024 * 1024
EVENTS = (
    "ObjectEvent",
    "AggregationEvent",
    "TransactionEvent",
    "TransformationEvent",
    "AssociationEvent",
    "QuantityEvent",
)
DOCUMENTS = ("EPCISDocument", "EPCISQueryDocument")
# The last two hold no events: to know them is to say so.
ROOTS = (*DOCUMENTS, "QueryResults", "EPCISMasterDataDocument", "EPCISCaptureJob")
EPCIS = "urn:epcglobal:epcis"
# What stands around events and queries in web services.
QUERIES = "urn:epcglobal:epcis-query:"
ENVELOPE = "Envelope"
Source = BinaryIO | Iterable[bytes]


def chunks(source: Source) -> Iterator[bytes]:
    """Yield a file's or an iterable's bytes in pieces of moderate size, the first long enough to be judged by."""
    start: bytes | None = b""
    for piece in _pieces(source):
        if start is None:
            yield piece
            continue
        start += piece
        if len(start) >= HEAD_BYTES:
            yield start
            start = None
    if start:
        yield start


def _pieces(source: Source) -> Iterator[bytes]:
    if hasattr(source, "read"):
        while piece := source.read(CHUNK_BYTES):
            yield piece
    else:
        for whole in source:
            for start in range(0, len(whole), CHUNK_BYTES):
                yield whole[start : start + CHUNK_BYTES]


def refuse(code: str, place: str, detail: str) -> TranslationError:
    """Make the error that ends a document of which nothing more can be read."""
    return TranslationError([Fault(code, place, detail)])


_BASE = "eventTime recordTime eventTimeZoneOffset eventID errorDeclaration baseExtension"
_WHY = "bizStep disposition readPoint bizLocation"
_TAIL = "sourceList destinationList sensorElementList persistentDisposition ilmd extension"
# The sequences of the schemas of 1.2 and 2.0, which differ in what stands within `extension` only.
ORDER = {
    "ObjectEvent": f"{_BASE} epcList action {_WHY} bizTransactionList quantityList {_TAIL}",
    "AggregationEvent": f"{_BASE} parentID childEPCs action {_WHY} bizTransactionList childQuantityList {_TAIL}",
    "AssociationEvent": f"{_BASE} parentID childEPCs childQuantityList action {_WHY} bizTransactionList {_TAIL}",
    "TransactionEvent": f"{_BASE} bizTransactionList parentID epcList action {_WHY} quantityList {_TAIL}",
    "TransformationEvent": f"{_BASE} inputEPCList inputQuantityList outputEPCList outputQuantityList "
    f"transformationID {_WHY} bizTransactionList {_TAIL}",
    "QuantityEvent": f"{_BASE} epcClass quantity {_WHY} bizTransactionList extension",
}
