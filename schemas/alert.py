"""The canonical body `urn:cbm:alert:1`: a warning, in the words of OASIS CAP 1.2 written in snake_case.

Owns the fields; each that CAP has keeps CAP's meaning and its code words. Ours are `about`, `profile`,
`contact`, `zone_assumed` and `native`. Never speaks XML.
"""

from typing import Literal, TypeVar, Union

from pydantic import Field

from schemas.base import Body, Maybe, Text, Timestamp
from schemas.codes import Country, HsCode
from schemas.shipment import Identifier, LongText, Native, Place

T = TypeVar("T")

Status = Literal["Actual", "Exercise", "System", "Test", "Draft"]
MsgType = Literal["Alert", "Update", "Cancel", "Ack", "Error"]
Scope = Literal["Public", "Restricted", "Private"]
Category = Literal[
    "Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other"
]
Urgency = Literal["Immediate", "Expected", "Future", "Past", "Unknown"]
Severity = Literal["Extreme", "Severe", "Moderate", "Minor", "Unknown"]
Certainty = Literal["Observed", "Likely", "Possible", "Unlikely", "Unknown"]
# CAP repeats the element; a single one may come alone. What cbm itself emits is always the list.
OneOrMany = Union[T, list[T]]  # noqa: UP007 (a generic alias needs it until Python 3.12)


class NamedValue(Body):
    """A pair of CAP: `valueName` and `value`."""

    value_name: Text
    value: LongText


class Area(Body):
    """A CAP `area`."""

    area_desc: LongText
    polygon: Maybe[list[LongText]] = Field(None, description="WGS 84 pairs `lat,lon`, closed, blanks between")
    circle: Maybe[list[Text]] = Field(None, description="`lat,lon radius`, radius in kilometres")
    geocode: Maybe[list[NamedValue]] = None
    altitude: Maybe[float] = Field(None, description="feet above mean sea level, as CAP has it")
    ceiling: Maybe[float] = Field(None, description="feet above mean sea level")


class Translation(Body):
    """The texts of the same alert in a further language."""

    language: Text = Field(description="RFC 3066, as CAP has it")
    event: Maybe[Text] = None
    headline: Maybe[LongText] = None
    description: Maybe[LongText] = None
    instruction: Maybe[LongText] = None


class Profile(Body):
    """What to look for; all that is given must match."""

    hs: Maybe[OneOrMany[HsCode]] = None
    origin: Maybe[OneOrMany[Country]] = None
    party: Maybe[OneOrMany[Text]] = None


class Alert(Body):
    """A warning. CAP asks for `category` … `certainty` wherever there is something to warn of: see envelope."""

    status: Status
    msg_type: MsgType
    scope: Scope
    category: Maybe[OneOrMany[Category]] = None
    event: Maybe[Text] = None
    urgency: Maybe[Urgency] = None
    severity: Maybe[Severity] = None
    certainty: Maybe[Certainty] = None
    headline: Maybe[LongText] = None
    description: Maybe[LongText] = None
    instruction: Maybe[LongText] = None
    effective: Maybe[Timestamp] = None
    onset: Maybe[Timestamp] = None
    expires: Maybe[Timestamp] = None
    references: Maybe[OneOrMany[Text]] = Field(None, description="`sender,identifier,sent` of earlier alerts")
    incidents: Maybe[OneOrMany[Text]] = None
    areas: Maybe[list[Area]] = None
    place: Maybe[Place] = None
    about: Maybe[list[Identifier]] = Field(None, description="the consignments it is about")
    profile: Maybe[Profile] = None
    contact: Maybe[Text] = None
    native: Maybe[Native] = None
    zone_assumed: Maybe[bool] = None
    # The rest of CAP 1.2 that a round trip needs.
    sender: Maybe[Text] = Field(None, description="CAP sender, where it is not the publishing agency's id")
    sender_name: Maybe[Text] = None
    language: Maybe[Text] = None
    translations: Maybe[list[Translation]] = None
    audience: Maybe[LongText] = None
    response_type: Maybe[list[Text]] = None
    restriction: Maybe[LongText] = None
    addresses: Maybe[list[Text]] = None
    note: Maybe[LongText] = None
    source: Maybe[Text] = None
    web: Maybe[Text] = None
    code: Maybe[list[Text]] = None
    event_code: Maybe[list[NamedValue]] = None
    parameters: Maybe[list[NamedValue]] = None


# CAP 1.2, 3.2.2: an info block has all of these.
INFO_REQUIRED = ("category", "event", "urgency", "severity", "certainty")
