"""The canonical body `urn:cbm:shipment:1`: what happened to a consignment, in the WCO Data Model's words.

Owns the fields and their sources; element ids are those of WCO Data Model 3.6. Never knows how a
document spells them: that is the translators' business.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.base import Body, Maybe, Text, Timestamp, Token
from schemas.codes import Country, Currency, HsCode, IdentifierValue, Locode, Sha256, TransportMode, UnNumber

Scheme = Literal["ucr", "mrn", "lrn", "transport-document", "container", "certificate", "seal", "equipment", "other"]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=8192)]
Kilograms = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0, le=10**9)]


class Identifier(Body):
    """One reference by which the consignment is known; sources meet on equal scheme and value."""

    scheme: Scheme = Field(
        description="ucr: WCO 016 and D018 of type DCR or MCR; mrn: D014; lrn: D026; transport-document: D018; "
        "container: 159; certificate: D005; seal: 165; equipment: 159 where it is no container"
    )
    value: IdentifierValue = Field(description="upper case, no blanks; other forms are read as if written so")
    issuer: Maybe[Text] = Field(None, description="who gave the reference")


class Place(Body):
    """Where it happened (WCO L010, L017)."""

    locode: Maybe[Locode] = Field(None, description="UN/LOCODE, UNECE Recommendation 16")
    country: Maybe[Country] = Field(None, description="ISO 3166-1 alpha-2")
    name: Maybe[Text] = None
    facility: Maybe[Text] = Field(None, description="terminal, warehouse or post within the place")


class Means(Body):
    """The means of transport (WCO T006, T018)."""

    scheme: Token = Field(description="imo, name, registration, flight, wagon, ens, or another word")
    value: Text


class Transport(Body):
    """How it moves across the border."""

    mode: Maybe[TransportMode] = Field(None, description="UNECE Recommendation 19: 1 sea, 2 rail, 3 road, 4 air …")
    means: Maybe[Means] = None
    voyage: Maybe[Text] = Field(None, description="conveyance reference: voyage, flight or trip number")
    carrier: Maybe[Text] = Field(None, description="the carrier's identifier or name (WCO R012)")


class Party(Body):
    """Who has to do with it."""

    role: Token = Field(description="consignor, consignee, importer, exporter, declarant, carrier, agent, notify …")
    name: Maybe[Text] = None
    id: Maybe[Text] = Field(None, description="the number under which an authority registered the party")
    country: Maybe[Country] = None
    address: Maybe[Text] = Field(None, description="in one line")


class Value(Body):
    """What it is worth."""

    amount: float
    currency: Currency = Field(description="ISO 4217")


class Goods(Body):
    """One goods item."""

    item: Maybe[Count] = Field(None, description="its number in the document")
    hs: Maybe[HsCode] = Field(None, description="commodity code (WCO 145); compared to six digits across agencies")
    description: Maybe[LongText] = Field(None, description="WCO 137")
    origin: Maybe[Country] = None
    gross_mass_kg: Maybe[Kilograms] = Field(None, description="WCO 126")
    packages: Maybe[Count] = Field(None, description="how many (WCO 144)")
    un_number: Maybe[UnNumber] = Field(None, description="dangerous goods (WCO 506)")
    value: Maybe[Value] = None


class Equipment(Body):
    """A container or other transport equipment (WCO 159)."""

    number: IdentifierValue
    type: Maybe[Text] = Field(None, description="ISO 6346 size and type, or in words")
    seals: Maybe[list[IdentifierValue]] = Field(None, description="WCO 165")


class Document(Body):
    """A document that goes with the goods (WCO D005, D006, D031)."""

    type: Maybe[Text] = Field(None, description="UNTDID 1001 or a national code")
    id: Text
    issuer: Maybe[Text] = None


class Decision(Body):
    """What an authority decided, as in "one status for each authority, shipment and item"."""

    authority: Maybe[Text] = Field(None, description="who decided")
    outcome: Token = Field(description="accepted, released, held, refused, documents-required …")
    item: Maybe[Count] = Field(None, description="the goods item it is about; absent: the whole consignment")
    reason: Maybe[LongText] = None
    version: Maybe[Count] = Field(None, description="rises with each decision of the same authority on the same thing")
    automatic: Maybe[bool] = Field(None, description="true where no officer was asked")


class Remark(Body):
    """Something odd that was read all the same, or repaired."""

    code: Token
    pointer: Text = Field(description="JSON pointer into the message, or XPath or line of the document")
    detail: Text


class Native(Body):
    """The agency's own document, which stays with its adapter."""

    format: Token
    sha256: Sha256
    size: Annotated[int, Field(ge=0)] = Field(description="bytes")
    warnings: Maybe[list[Remark]] = Field(None, description="what was odd or repaired when it was read")


class Shipment(Body):
    """What happened to a consignment, when and where."""

    identifiers: Annotated[list[Identifier], Field(min_length=1)]
    occurred: Timestamp = Field(description="when it happened (RFC 3339)")
    zone_assumed: Maybe[bool] = Field(
        None, description="true where the document gave no time zone and the adapter's configured one was taken"
    )
    classifier: Maybe[Literal["planned", "estimated", "actual"]] = Field(None, description="absent: actual")
    place: Maybe[Place] = None
    transport: Maybe[Transport] = None
    parties: Maybe[list[Party]] = None
    goods: Maybe[list[Goods]] = None
    equipment: Maybe[list[Equipment]] = None
    documents: Maybe[list[Document]] = None
    decision: Maybe[Decision] = None
    native: Maybe[Native] = None
