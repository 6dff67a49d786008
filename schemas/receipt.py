"""The canonical body `urn:cbm:receipt:1`: what became of a message, told to its sender.

Owns the dispositions. Never tells who received it beyond what the agreements let the sender know.
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Body, Maybe, Text, Token
from schemas.codes import AgencyId

Disposition = Literal["accepted", "duplicate", "conflict", "refused", "expired", "undeliverable"]


class Of(Body):
    """The message that the receipt is of."""

    id: Text = Field(description="its id; where none could be read, the AMQP message_id or `sha256:` and the digest")
    type: Maybe[Text] = None


class FaultRecord(Body):
    """One fault: all of a message's faults are reported at once."""

    code: Token
    pointer: str = Field(description="JSON pointer (RFC 6901) into the message; empty for the whole of it")
    detail: str


class Receipt(Body):
    """The recorded end of a message."""

    disposition: Disposition
    of: Of
    faults: Maybe[list[FaultRecord]] = None
    warnings: Maybe[list[FaultRecord]] = Field(None, description="odd, but no reason to refuse")
    recipients: Maybe[Annotated[int, Field(ge=0)]] = Field(None, description="how many agencies received it")
    recipient_ids: Maybe[list[AgencyId]] = Field(
        None, description="those of them that agreements let the sender know of"
    )
