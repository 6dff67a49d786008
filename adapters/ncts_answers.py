"""The decisions of NCTS that are written, as tables: their elements in order, the form of each, where it comes from.

Owns what the XSDs (version 60.4.16) and the conditions (C…) of the interface ask of these messages, in a notation
of our own. Never reads a document, and never decides which message an event goes out as: that is `ncts_write`.

The notation: one element a line, indented under its group. `?` none or one, `*` any number, `+` one or more, nothing:
exactly one. Then the form of its text (see `FORMS`) and the source of it (see `ncts_write`); a group has neither, a
repeated one the source of its entries.
"""

import re
from dataclasses import dataclass
from functools import cache

_DATE = r"(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_NAMED = {
    "mrn": r"(?:[01][0-9]|2[0-4])[A-Z]{2}[A-Z0-9]{13}[0-9]|(?:2[4-9]|[3-9][0-9])[A-Z]{2}[A-Z0-9]{12}[J-M][0-9]",
    "grn": r"[0-9]{2}[A-Z]{2}[A-Z0-9]{12}[0-9](?:[A-Z][0-9]{6})?",
    "office": r"[A-Z]{2}[A-Z0-9]{6}",
    "country": r"[A-Z]{2}",
    # Where a guarantor can have its address: the contracting parties of the convention.
    "ctc-country": "AD|AT|BE|BG|CH|CY|CZ|DE|DK|EE|ES|FI|FR|GB|GR|HR|HU|IE|IS|IT|LT|LU|LV|MK|MT|NL|NO|PL|PT|RO|RS|SE|"
    "SI|SK|SM|TR|UA|XI",
    "date": _DATE,
    "time": _DATE + r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]",
    "flag": "[01]",
    "digit": "[0-9]",
    "digits2": "[0-9]{1,2}",
    "count": "[1-9][0-9]{0,4}",
    # CL180 FunctionalErrorCodesIeCA.
    "error": "12|13|14|15|26|50|51|52|90|92|93",
    "an2": ".{2}",
    "an3": ".{3}",
    "an4": ".{4}",
    "type": "CC[0-9]{3}C",
}
FORMS: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern, re.ASCII)
    for name, pattern in (_NAMED | {f"an..{size}": f".{{1,{size}}}" for size in (3, 7, 17, 22, 35, 70, 512)}).items()
}

HEADER = """
messageSender an..35 sender
messageRecipient an..35 recipient
preparationDateAndTime time prepared
messageIdentification an..35 identification
messageType type name
correlationIdentifier? an..35 correlation
"""
_ADDRESS = """
  Address?
    streetAndNumber an..70 {role}-street
    postcode? an..17 {role}-postcode
    city an..35 {role}-city
    country {countries} {role}-country
"""
_HOLDER = f"""
HolderOfTheTransitProcedure
  identificationNumber? an..17 holder-id
  name? an..70 holder-name
{_ADDRESS.format(role="holder", countries="country")}
"""
_GUARANTOR = f"""
Guarantor?
  identificationNumber? an..17 guarantor-id
  name? an..70 guarantor-name
{_ADDRESS.format(role="guarantor", countries="ctc-country")}
"""
_DEPARTURE = """
CustomsOfficeOfDeparture
  referenceNumber office departure
"""
_AT_DESTINATION = """
CustomsOfficeOfDestinationActual
  referenceNumber office destination
TraderAtDestination
  identificationNumber an..17 trader-id
"""
_ERRORS = """
FunctionalError* said
  errorPointer an..512 field
  errorCode error field
  errorReason an..7 field
"""
_REJECTION = """
  businessRejectionType an3 rejected-type
  rejectionDateAndTime time occurred
  rejectionCode digits2 rejection-code
  rejectionReason? an..512 text
"""

ANSWERS: dict[str, str] = {
    "CC004C": f"""
TransitOperation
  LRN? an..22 lrn-alone
  MRN? mrn mrn
  amendmentSubmissionDateAndTime time said
  amendmentAcceptanceDateAndTime time occurred
{_DEPARTURE}{_HOLDER}""",
    "CC009C": f"""
TransitOperation
  LRN? an..22 lrn-alone
  MRN? mrn mrn
Invalidation
  requestDateAndTime? time said
  decisionDateAndTime? time occurred
  decision? flag code:invalidation
  initiatedByCustoms flag said
  justification? an..512 text
{_DEPARTURE}{_HOLDER}""",
    "CC019C": f"""
TransitOperation
  MRN mrn mrn
  discrepanciesNotificationDate date occurred
  discrepanciesNotificationText? an..512 text
{_DEPARTURE}{_HOLDER}{_GUARANTOR}""",
    "CC022C": f"""
TransitOperation
  MRN mrn mrn
  amendmentNotificationDateAndTime time occurred
{_DEPARTURE}{_HOLDER}
FunctionalError* said
  sequenceNumber count count
  errorPointer? an..512 field
  errorCode error field
  errorReason? an..7 field
""",
    "CC025C": f"""
TransitOperation
  MRN mrn mrn
  releaseDate date occurred
  releaseIndicator digit code:release
{_AT_DESTINATION}""",
    "CC028C": f"""
TransitOperation
  LRN an..22 lrn
  MRN mrn mrn
  declarationAcceptanceDate date occurred
{_DEPARTURE}{_HOLDER}""",
    "CC045C": f"""
TransitOperation
  MRN mrn mrn
  writeOffDate date occurred
{_DEPARTURE}{_HOLDER}{_GUARANTOR}""",
    "CC051C": f"""
TransitOperation
  MRN mrn mrn
  declarationSubmissionDateAndTime time said
  noReleaseMotivationCode an2 said
  noReleaseMotivationText an..512 text
{_DEPARTURE}{_HOLDER}
Representative?
  identificationNumber an..17 agent-id
""",
    "CC055C": f"""
TransitOperation
  MRN mrn mrn
  declarationAcceptanceDate date said
{_DEPARTURE}{_HOLDER}
GuaranteeReference+ guarantees
  sequenceNumber count count
  GRN grn field
  InvalidGuaranteeReason+ reasons
    sequenceNumber count count
    code an..3 field
    text? an..512 field
""",
    "CC056C": f"""
TransitOperation
  LRN? an..22 lrn-alone
  MRN? mrn mrn
{_REJECTION}
{_DEPARTURE}{_HOLDER}{_ERRORS}""",
    "CC057C": f"""
TransitOperation
  MRN mrn mrn
{_REJECTION}
{_AT_DESTINATION}{_ERRORS}""",
    "CC060C": f"""
TransitOperation
  LRN? an..22 lrn-alone
  MRN? mrn mrn
  controlNotificationDateAndTime time occurred
  notificationType digit notification
{_DEPARTURE}{_HOLDER}
TypeOfControls* controls
  sequenceNumber count count
  type an..3 field
  text? an..512 field
RequestedDocument* requested
  sequenceNumber count count
  documentType an4 field
  description? an..512 field
""",
    "CC928C": f"""
TransitOperation
  LRN an..22 lrn
  MRN? mrn mrn
{_DEPARTURE}{_HOLDER}""",
}

# What CC029C repeats of the declaration, and no message carries.
RELEASE_FOR_TRANSIT = (
    "TransitOperation/declarationType",
    "TransitOperation/additionalDeclarationType",
    "TransitOperation/security",
    "TransitOperation/reducedDatasetIndicator",
    "TransitOperation/bindingItinerary",
    "Guarantee/guaranteeType",
    "Consignment/HouseConsignment/ConsignmentItem/Packaging/typeOfPackages",
)

_LINE = re.compile(r"(?P<indent> *)(?P<name>\w+)(?P<times>[?*+])?(?: (?P<words>.+))?")


@dataclass(frozen=True, slots=True)
class Part:
    """One element of an answer; a group has `parts`, and one that repeats a `source` of entries."""

    name: str
    times: str
    form: str
    source: str
    parts: "tuple[Part, ...]"

    @property
    def needed(self) -> bool:
        """Whether at least one stands there."""
        return self.times in ("", "+")

    @property
    def repeats(self) -> bool:
        """Whether there can be several."""
        return self.times in ("*", "+")


@cache
def structure(name: str) -> tuple[Part, ...]:
    """Return the parts of a message of `ANSWERS`, the header's first."""
    lines = [line.rstrip() for line in (HEADER + ANSWERS[name]).splitlines() if line.strip()]
    matches = [found for line in lines if (found := _LINE.fullmatch(line))]
    return _parts(matches, 0, 0)[0]


def _parts(lines: list[re.Match[str]], start: int, indent: int) -> tuple[tuple[Part, ...], int]:
    parts: list[Part] = []
    index = start
    while index < len(lines) and len(lines[index]["indent"]) == indent:
        line = lines[index]
        *form, source = ["", "", *(line["words"] or "").split()][-2:] if line["words"] else ("", "")
        below, index = _parts(lines, index + 1, indent + 2)
        parts.append(Part(line["name"], line["times"] or "", "" if below else form[0], source, below))
    return tuple(parts), index
