"""The common transit system in tables: which message tells what, where its parts stand, and who has a role in it.

Owns what is the same in every nation: names of messages and elements (NCTS phases 5 and 6, DDNTA 5.15 and
6.4). What a code means is a profile's business (`profiles/*/ncts.toml`). Never reads a document.
"""

import re
from dataclasses import dataclass

from schemas.shipment import Scheme

NAMESPACE = "http://ncts.dgtaxud.ec"
# The family of code tables in a profile.
FAMILY = "ncts"


@dataclass(frozen=True, slots=True)
class Told:
    """What goes into `decision.reason`, a line for each element or group at `path`.

    An element makes the line `name: text`; a group `name: text | text`, of the fields named, in that order.
    `^` before a field takes it from the group around.
    """

    path: str
    fields: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the line begins with."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a message of NCTS tells.

    `event` and `outcome` hold where no code says otherwise; `codes` names, in the order in which they are
    asked, the sections of the profile and the elements that may. `moment` is the element of when it
    happened, none: when the message was prepared. `office` is the one at which it did.
    """

    event: str
    office: str | None = None
    moment: str | None = None
    outcome: str | None = None
    classifier: str | None = None
    codes: tuple[tuple[str, str], ...] = ()
    told: tuple[Told, ...] = ()
    author: str | None = None
    """Whose decision it is where that is not the office."""
    one_reference: bool = False
    """Whether MRN and LRN exclude each other in it."""


DEPARTURE, DESTINATION = "CustomsOfficeOfDeparture", "CustomsOfficeOfDestinationActual"
RECOVERY, EXIT = "CustomsOfficeOfRecoveryAtDeparture", "CustomsOfficeOfExit"
_ACCEPTED_DATE = Told("TransitOperation/declarationAcceptanceDate")
_ERRORS = Told("FunctionalError", ("errorCode", "errorReason", "errorPointer"))
_REJECTED = (
    Told("TransitOperation/businessRejectionType"),
    Told("TransitOperation/rejectionCode"),
    Told("TransitOperation/rejectionReason"),
    _ERRORS,
)
_REJECTION = (("rejection", "TransitOperation/businessRejectionType"),)

KINDS: dict[str, Kind] = {
    "CC004C": Kind(
        "shipment.amended", DEPARTURE, "TransitOperation/amendmentAcceptanceDateAndTime", "accepted",
        told=(Told("TransitOperation/amendmentSubmissionDateAndTime"),), one_reference=True,
    ),
    "CC007C": Kind("shipment.arrived", DESTINATION, "TransitOperation/arrivalNotificationDateAndTime"),
    "CC009C": Kind(
        "shipment.declared", DEPARTURE, "Invalidation/decisionDateAndTime", "request-decided",
        codes=(
            ("invalidation", "Invalidation/decision"),
            ("invalidation-by-customs", "Invalidation/initiatedByCustoms"),
        ),
        told=(
            Told("Invalidation/requestDateAndTime"),
            Told("Invalidation/initiatedByCustoms"),
            Told("Invalidation/justification"),
        ),
        one_reference=True,
    ),
    "CC013C": Kind("shipment.amended", DEPARTURE, one_reference=True),
    # What a trader asks for is planned until the office decides (CC009C).
    "CC014C": Kind(
        "shipment.withdrawn", DEPARTURE, "Invalidation/requestDateAndTime", classifier="planned", one_reference=True,
    ),
    "CC015C": Kind("shipment.declared", DEPARTURE),
    "CC017C": Kind(
        "shipment.inspected", DEPARTURE, "ControlResult/date", "inspected",
        codes=(("control-result", "ControlResult/code"),),
        told=(Told("ControlResult/code"), Told("ControlResult/remark"), Told("ControlResult/text")),
    ),
    "CC019C": Kind(
        "shipment.inspected", DEPARTURE, "TransitOperation/discrepanciesNotificationDate", "discrepancies",
        told=(Told("TransitOperation/discrepanciesNotificationText"),),
    ),
    "CC022C": Kind(
        "shipment.documents-required", DEPARTURE, "TransitOperation/amendmentNotificationDateAndTime",
        "amendment-required", told=(_ERRORS,),
    ),
    "CC023C": Kind(
        "shipment.documents-required", RECOVERY, "GuarantorNotification/guarantorNotificationDate",
        "guarantor-notified", told=(_ACCEPTED_DATE, Told("GuarantorNotification/guarantorNotificationText")),
    ),
    "CC025C": Kind(
        "shipment.held", DESTINATION, "TransitOperation/releaseDate", "release-not-told",
        codes=(("release", "TransitOperation/releaseIndicator"),),
    ),
    "CC028C": Kind("shipment.declared", DEPARTURE, "TransitOperation/declarationAcceptanceDate", "accepted"),
    "CC029C": Kind(
        "shipment.released", DEPARTURE, "TransitOperation/releaseDate", "released-for-transit",
        told=(_ACCEPTED_DATE, Told("ControlResult", ("code", "date", "controlledBy", "text"))),
    ),
    "CC035C": Kind(
        "shipment.documents-required", RECOVERY, "RecoveryNotification/recoveryNotificationDate", "recovery",
        told=(_ACCEPTED_DATE, Told("RecoveryNotification/recoveryNotificationText")),
    ),
    "CC040C": Kind("shipment.withdrawn", outcome="invalidated"),
    "CC042C": Kind(
        "shipment.inspected", "CustomsOfficeOfDestination", "ExportOperation/ControlResult/date", "inspected",
        codes=(("control-result", "ExportOperation/ControlResult/code"),),
        told=(Told("ExportOperation/ControlResult", ("^MRN", "code", "date")),),
    ),
    # The goods may be unloaded; they are under transit until the office has seen what was found (CC044C).
    "CC043C": Kind("shipment.discharged", DESTINATION, outcome="unloading-permitted", classifier="planned"),
    "CC044C": Kind(
        "shipment.discharged", DESTINATION, "UnloadingRemark/unloadingDate", "unloaded",
        codes=(("conform", "UnloadingRemark/conform"),), author="TraderAtDestination/identificationNumber",
        told=(
            Told("UnloadingRemark/unloadingCompletion"),
            Told("UnloadingRemark/stateOfSeals"),
            Told("UnloadingRemark/unloadingRemark"),
            Told("TransitOperation/otherThingsToReport"),
        ),
    ),
    # The movement ended as it should. It says nothing of the goods' next procedure, hence no release.
    "CC045C": Kind("shipment.arrived", DEPARTURE, "TransitOperation/writeOffDate", "written-off"),
    "CC048C": Kind(
        "shipment.documents-required", RECOVERY, "TransitOperation/recoveryCommunicationDate", "recovery",
    ),
    "CC051C": Kind(
        "shipment.refused", DEPARTURE, outcome="refused",
        told=(
            Told("TransitOperation/declarationSubmissionDateAndTime"),
            Told("TransitOperation/noReleaseMotivationCode"),
            Told("TransitOperation/noReleaseMotivationText"),
        ),
    ),
    "CC055C": Kind(
        "shipment.documents-required", DEPARTURE, outcome="guarantee-invalid",
        told=(_ACCEPTED_DATE, Told("GuaranteeReference/InvalidGuaranteeReason", ("^GRN", "code", "text"))),
    ),
    "CC056C": Kind(
        "shipment.rejected", DEPARTURE, "TransitOperation/rejectionDateAndTime", "rejected",
        codes=_REJECTION, told=_REJECTED, one_reference=True,
    ),
    "CC057C": Kind(
        "shipment.rejected", DESTINATION, "TransitOperation/rejectionDateAndTime", "rejected",
        codes=_REJECTION, told=_REJECTED,
    ),
    "CC060C": Kind(
        "shipment.selected-for-inspection", DEPARTURE, "TransitOperation/controlNotificationDateAndTime", "control",
        codes=(("notification", "TransitOperation/notificationType"),),
        told=(Told("TypeOfControls", ("type", "text")), Told("RequestedDocument", ("documentType", "description"))),
        one_reference=True,
    ),
    "CC140C": Kind(
        "shipment.documents-required", DEPARTURE, "TransitOperation/requestOnNonArrivedMovementDate", "not-arrived",
        told=(Told("TransitOperation/limitForResponseDate"),),
    ),
    # What the holder knows of where the goods are; the office asks for it by CC140C.
    "CC141C": Kind(
        "shipment.amended", "CustomsOfficeOfEnquiryAtDeparture", outcome="non-arrival-answered",
        author="HolderOfTheTransitProcedure/identificationNumber",
        told=(Told("Enquiry/TC11DeliveryDate"), Told("Enquiry/text")),
    ),
    # Goods that had been declared before they came are presented.
    "CC170C": Kind("shipment.arrived", DEPARTURE),
    "CC182C": Kind(
        "shipment.amended", "CustomsOfficeOfIncidentRegistration",
        "TransitOperation/incidentNotificationDateAndTime", "incident",
        codes=(("incident", "Consignment/Incident/code"),),
        told=(Told("Consignment/Incident", ("code", "text")),),
    ),
    "CC190C": Kind("shipment.arrived", DEPARTURE, outcome="presented-for-transit", one_reference=True),
    "CC191C": Kind(
        "shipment.declared", EXIT, "AESResults/responseDateAndTime", "request-decided",
        codes=(("aes-validation", "AESResults/globalValidationResponse"),),
        told=(Told("AESResults/ExportOperation", ("MRN", "resultIndicator")),), one_reference=True,
    ),
    "CC906C": Kind("shipment.rejected", outcome="functional-error", told=(_ERRORS,)),
    "CC917C": Kind(
        "shipment.rejected", outcome="xml-error",
        told=(Told("XMLError", ("errorCode", "errorLineNumber", "errorColumnNumber", "errorPointer")),),
    ),
    "CC928C": Kind("shipment.declared", DEPARTURE, outcome="received"),
}  # fmt: skip

# Messages about a guarantee, of no consignment: there is nothing that any other agency could join upon.
GUARANTEE_MESSAGES = ("CC026C", "CC034C", "CC037C", "CC224C", "CC225C", "CC228C", "CC229C", "CC231C")
_NOTHING = Kind("")
KINDS |= dict.fromkeys(GUARANTEE_MESSAGES, _NOTHING)

# Groups that name a party or an office, wherever they stand, and the role they have.
PARTIES = {
    "HolderOfTheTransitProcedure": "holder",
    "Representative": "agent",
    "TraderAtDestination": "trader-at-destination",
    "Guarantor": "guarantor",
    "Carrier": "carrier",
    "Consignor": "consignor",
    "Consignee": "consignee",
    "ConsigneeActual": "consignee",
}
OFFICES = {
    "CustomsOfficeOfDeparture": "office-of-departure",
    "CustomsOfficeOfDestination": "office-of-destination",
    "CustomsOfficeOfDestinationDeclared": "office-of-destination",
    "CustomsOfficeOfDestinationActual": "office-of-destination",
    "CustomsOfficeOfTransitDeclared": "office-of-transit",
    "CustomsOfficeOfExit": "office-of-exit",
    "CustomsOfficeOfExitForTransitDeclared": "office-of-exit",
    "CustomsOfficeOfRecoveryAtDeparture": "office-of-recovery",
    "CustomsOfficeOfEnquiryAtDeparture": "office-of-enquiry",
    "CustomsOfficeOfIncidentRegistration": "office-of-incident",
}

# Groups of documents. An additional reference can be without a number, and is then no document.
DOCUMENTS = ("TransportDocument", "SupportingDocument", "PreviousDocument", "AdditionalReference", "Authorisation")
# Elements whose text is a reference wherever they stand, in any group, and its scheme.
REFERENCES: dict[str, Scheme] = {
    "MRN": "mrn",
    "LRN": "lrn",
    "referenceNumberUCR": "ucr",
    "TIRCarnetNumber": "other",
    "GRN": "other",
    "otherGuaranteeReference": "other",
}

# CL716: another control, which is told in words (C0451).
OTHER_CONTROL = "50"
# Controls that no code tells go out as another one, with the event's own word and the outcome in the text.
_CONTROL_WORDS = ("held", "selected-for-scan", "selected-for-inspection")
_OWN_WORD = re.compile(rf"({'|'.join(_CONTROL_WORDS)}): ([a-z][a-z0-9-]{{0,63}})")


def own_word(code: str | None, text: str | None) -> tuple[str, str] | None:
    """Return event and outcome of a control that tells them in words; None for any other."""
    match = _OWN_WORD.fullmatch(text or "") if code == OTHER_CONTROL else None
    return (f"shipment.{match[1]}", match[2]) if match is not None else None
