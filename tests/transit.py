"""Transit messages of our own for the tests: one of each kind, in XML, and what is made of them.

Owns the samples. Never judges anything: that is the tests' business.
"""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapters.document import Document, Origin
from adapters.ncts import TRANSLATORS
from adapters.translator import messages

(NCTS,) = TRANSLATORS
RECEIVED = datetime(2026, 3, 2, tzinfo=UTC)
ORIGIN = Origin("gb.customs", RECEIVED, ZoneInfo("Europe/Paris"))
NAMESPACE = "http://ncts.dgtaxud.ec"
MRN, LRN, HOLDER = "26FR00012345678AJ4", "LRN-26-1", "FR12345678900014"
DEPARTURE, DESTINATION, GRN = "FR000130", "CH001251", "26FRA000001234567"

HEADER = """<messageSender>NTA.FR</messageSender><messageRecipient>FR12345678900014</messageRecipient>
<preparationDateAndTime>2026-03-01T09:15:00</preparationDateAndTime>
<messageIdentification>M-1</messageIdentification><messageType>{name}</messageType>
<correlationIdentifier>Q-1</correlationIdentifier>"""
AT_DEPARTURE = f"<CustomsOfficeOfDeparture><referenceNumber>{DEPARTURE}</referenceNumber></CustomsOfficeOfDeparture>"
HELD_BY = f"""<HolderOfTheTransitProcedure><identificationNumber>{HOLDER}</identificationNumber>
<name>Transports Alpins</name><Address>
<streetAndNumber>3, quai du Port</streetAndNumber><postcode>13002</postcode><city>Marseille</city>
<country>FR</country></Address></HolderOfTheTransitProcedure>"""
AT_DESTINATION = f"""<CustomsOfficeOfDestinationActual><referenceNumber>{DESTINATION}</referenceNumber>
</CustomsOfficeOfDestinationActual><TraderAtDestination><identificationNumber>CHE123456788</identificationNumber>
</TraderAtDestination>"""
ERRORS = """<FunctionalError><errorPointer>/CC015C/Consignment/grossMass</errorPointer><errorCode>14</errorCode>
<errorReason>R0221</errorReason><originalAttributeValue>SECRET</originalAttributeValue></FunctionalError>
<FunctionalError><errorPointer>/CC015C/Guarantee[1]</errorPointer><errorCode>12</errorCode><errorReason>N/A</errorReason>
</FunctionalError>"""
NUMBERED_ERRORS = "<FunctionalError><sequenceNumber>1</sequenceNumber>" + ERRORS.removeprefix(
    "<FunctionalError>"
).replace("<FunctionalError>", "<FunctionalError><sequenceNumber>2</sequenceNumber>")
REJECTED = """<businessRejectionType>{type}</businessRejectionType>
<rejectionDateAndTime>2026-03-01T09:14:30</rejectionDateAndTime><rejectionCode>12</rejectionCode>"""


def transit(name: str, *groups: str) -> bytes:
    """Return a message of NCTS: its header, then these groups."""
    body = "\n".join((HEADER.format(name=name), *groups))
    return f'<ncts:{name} PhaseID="NCTS5.1" xmlns:ncts="{NAMESPACE}">\n{body}\n</ncts:{name}>\n'.encode()


def operation(*elements: str) -> str:
    """Return a TransitOperation of elements `name=text`, or of markup as it stands."""
    told = "".join(_element(one) for one in elements)
    return f"<TransitOperation>{told}</TransitOperation>"


def _element(told: str) -> str:
    if told.startswith("<"):
        return told
    name, _, content = told.partition("=")
    return f"<{name}>{content}</{name}>"


CONSIGNMENT = """<Consignment><countryOfDispatch>FR</countryOfDispatch><countryOfDestination>CH</countryOfDestination>
<containerIndicator>1</containerIndicator><inlandModeOfTransport>3</inlandModeOfTransport>
<modeOfTransportAtTheBorder>3</modeOfTransportAtTheBorder><grossMass>1500.5</grossMass>
<referenceNumberUCR>6fr 123-x</referenceNumberUCR>
<Carrier><identificationNumber>FR777</identificationNumber></Carrier>
<TransportEquipment><sequenceNumber>1</sequenceNumber>
<containerIdentificationNumber>CBMU2046175</containerIdentificationNumber><numberOfSeals>1</numberOfSeals>
<Seal><sequenceNumber>1</sequenceNumber><identifier>S-1</identifier></Seal>
<GoodsReference><sequenceNumber>1</sequenceNumber><declarationGoodsItemNumber>1</declarationGoodsItemNumber></GoodsReference>
</TransportEquipment>
<LocationOfGoods><typeOfLocation>A</typeOfLocation><qualifierOfIdentification>U</qualifierOfIdentification>
<UNLocode>FRMRS</UNLocode></LocationOfGoods>
<DepartureTransportMeans><sequenceNumber>1</sequenceNumber><typeOfIdentification>31</typeOfIdentification>
<identificationNumber>AB-123-CD</identificationNumber><nationality>FR</nationality></DepartureTransportMeans>
<ActiveBorderTransportMeans><sequenceNumber>1</sequenceNumber>
<customsOfficeAtBorderReferenceNumber>CH001251</customsOfficeAtBorderReferenceNumber>
<typeOfIdentification>30</typeOfIdentification><identificationNumber>EF-456-GH</identificationNumber>
<nationality>FR</nationality><conveyanceReferenceNumber>T77</conveyanceReferenceNumber></ActiveBorderTransportMeans>
<PreviousDocument><sequenceNumber>1</sequenceNumber><type>N830</type><referenceNumber>26FR00000000001AA1</referenceNumber>
</PreviousDocument>
<SupportingDocument><sequenceNumber>1</sequenceNumber><type>N851</type><referenceNumber>PC-1</referenceNumber>
</SupportingDocument>
<TransportDocument><sequenceNumber>1</sequenceNumber><type>N730</type><referenceNumber>CMR 55</referenceNumber>
</TransportDocument>
<HouseConsignment><sequenceNumber>1</sequenceNumber><grossMass>1500.5</grossMass>
<Consignee><name>Gärtnerei Zürich</name><Address><streetAndNumber>Bahnweg 1</streetAndNumber><city>Zürich</city>
<country>CH</country></Address></Consignee>
<ConsignmentItem><goodsItemNumber>1</goodsItemNumber><declarationGoodsItemNumber>1</declarationGoodsItemNumber>
<Commodity><descriptionOfGoods>Orchid plants</descriptionOfGoods>
<CommodityCode><harmonizedSystemSubHeadingCode>060290</harmonizedSystemSubHeadingCode>
<combinedNomenclatureCode>70</combinedNomenclatureCode></CommodityCode>
<DangerousGoods><sequenceNumber>1</sequenceNumber><UNNumber>1234</UNNumber></DangerousGoods>
<GoodsMeasure><grossMass>1500.5</grossMass></GoodsMeasure></Commodity>
<Packaging><sequenceNumber>1</sequenceNumber><typeOfPackages>CT</typeOfPackages><numberOfPackages>10</numberOfPackages>
<shippingMarks>X</shippingMarks></Packaging></ConsignmentItem></HouseConsignment></Consignment>"""
GUARANTEE = f"""<Guarantee><sequenceNumber>1</sequenceNumber><guaranteeType>1</guaranteeType>
<GuaranteeReference><sequenceNumber>1</sequenceNumber><GRN>{GRN}</GRN><accessCode>PIN7</accessCode>
<amountToBeCovered>1000.00</amountToBeCovered><currency>EUR</currency></GuaranteeReference></Guarantee>"""
DECLARATION = transit(
    "CC015C",
    operation(
        f"LRN={LRN}", "declarationType=T1", "additionalDeclarationType=A", "security=0", "reducedDatasetIndicator=0",
        "bindingItinerary=0",
    ),
    "<Authorisation><sequenceNumber>1</sequenceNumber><type>C521</type><referenceNumber>FRACR7</referenceNumber>"
    "</Authorisation>",
    AT_DEPARTURE,
    f"<CustomsOfficeOfDestinationDeclared><referenceNumber>{DESTINATION}</referenceNumber>"
    "</CustomsOfficeOfDestinationDeclared>",
    HELD_BY,
    "<Representative><identificationNumber>FR999</identificationNumber><status>2</status></Representative>",
    GUARANTEE,
    CONSIGNMENT,
)  # fmt: skip

# What each answer of an office is read as: document, type, outcome, when it happened.
AT = "2026-03-01T09:14:30"
DAY = "2026-03-01"
ANSWERS: dict[str, tuple[bytes, str, str | None, str]] = {
    "CC004C": (
        transit("CC004C", operation(f"MRN={MRN}", "amendmentSubmissionDateAndTime=2026-03-01T08:00:00",
                                    f"amendmentAcceptanceDateAndTime={AT}"), AT_DEPARTURE, HELD_BY),
        "shipment.amended", "accepted", AT,
    ),
    "CC009C": (
        transit("CC009C", operation(f"MRN={MRN}"),
                f"<Invalidation><requestDateAndTime>2026-03-01T08:00:00</requestDateAndTime><decisionDateAndTime>{AT}"
                "</decisionDateAndTime><decision>1</decision><initiatedByCustoms>0</initiatedByCustoms>"
                "<justification>goods sold</justification></Invalidation>", AT_DEPARTURE, HELD_BY),
        "shipment.withdrawn", "invalidated", AT,
    ),
    "CC019C": (
        transit("CC019C", operation(f"MRN={MRN}", f"discrepanciesNotificationDate={DAY}",
                                    "discrepanciesNotificationText=one carton short"), AT_DEPARTURE, HELD_BY,
                "<Guarantor><identificationNumber>FR555</identificationNumber></Guarantor>"),
        "shipment.inspected", "discrepancies", DAY,
    ),
    "CC022C": (
        transit("CC022C", operation(f"MRN={MRN}", f"amendmentNotificationDateAndTime={AT}"), AT_DEPARTURE, HELD_BY,
                NUMBERED_ERRORS),
        "shipment.documents-required", "amendment-required", AT,
    ),
    "CC025C": (
        transit("CC025C", operation(f"MRN={MRN}", f"releaseDate={DAY}", "releaseIndicator=1"), AT_DESTINATION),
        "shipment.released", "released", DAY,
    ),
    "CC028C": (
        transit("CC028C", operation(f"LRN={LRN}", f"MRN={MRN}", f"declarationAcceptanceDate={DAY}"), AT_DEPARTURE,
                HELD_BY),
        "shipment.declared", "accepted", DAY,
    ),
    "CC045C": (
        transit("CC045C", operation(f"MRN={MRN}", f"writeOffDate={DAY}"), AT_DEPARTURE, HELD_BY),
        "shipment.arrived", "written-off", DAY,
    ),
    "CC051C": (
        transit("CC051C", operation(f"MRN={MRN}", "declarationSubmissionDateAndTime=2026-03-01T08:00:00",
                                    "noReleaseMotivationCode=G1", "noReleaseMotivationText=no guarantee"),
                AT_DEPARTURE, HELD_BY),
        "shipment.refused", "refused", "2026-03-01T09:15:00",
    ),
    "CC055C": (
        transit("CC055C", operation(f"MRN={MRN}", "declarationAcceptanceDate=2026-02-28"), AT_DEPARTURE, HELD_BY,
                f"<GuaranteeReference><sequenceNumber>1</sequenceNumber><GRN>{GRN}</GRN><InvalidGuaranteeReason>"
                "<sequenceNumber>1</sequenceNumber><code>G02</code><text>not valid here</text></InvalidGuaranteeReason>"
                "<InvalidGuaranteeReason><sequenceNumber>2</sequenceNumber><code>G05</code></InvalidGuaranteeReason>"
                "</GuaranteeReference>"),
        "shipment.documents-required", "guarantee-invalid", "2026-03-01T09:15:00",
    ),
    "CC056C": (
        transit("CC056C", operation(f"LRN={LRN}", REJECTED.format(type="015")), AT_DEPARTURE, HELD_BY, ERRORS),
        "shipment.rejected", "rejected", AT,
    ),
    "CC057C": (
        transit("CC057C", operation(f"MRN={MRN}", REJECTED.format(type="007")), AT_DESTINATION, ERRORS),
        "shipment.rejected", "arrival-rejected", AT,
    ),
    "CC060C": (
        transit("CC060C", operation(f"MRN={MRN}", f"controlNotificationDateAndTime={AT}", "notificationType=0"),
                AT_DEPARTURE, HELD_BY, "<TypeOfControls><sequenceNumber>1</sequenceNumber><type>40</type>"
                "<text>open the container</text></TypeOfControls><RequestedDocument><sequenceNumber>1</sequenceNumber>"
                "<documentType>N730</documentType></RequestedDocument>"),
        "shipment.selected-for-inspection", "control", AT,
    ),
    "CC928C": (
        transit("CC928C", operation(f"LRN={LRN}"), AT_DEPARTURE, HELD_BY),
        "shipment.declared", "received", "2026-03-01T09:15:00",
    ),
}  # fmt: skip

# The other messages, of traders and of offices, that are read and not written.
OTHERS: dict[str, tuple[bytes, str, str | None, str]] = {
    "CC007C": (
        transit("CC007C", operation(f"MRN={MRN}", f"arrivalNotificationDateAndTime={AT}", "simplifiedProcedure=1"),
                AT_DESTINATION, "<Consignment><LocationOfGoods><typeOfLocation>B</typeOfLocation>"
                "<qualifierOfIdentification>U</qualifierOfIdentification><UNLocode>CHBSL</UNLocode></LocationOfGoods>"
                "</Consignment>"),
        "shipment.arrived", None, AT,
    ),
    "CC013C": (
        DECLARATION.replace(b"CC015C", b"CC013C").replace(f"<LRN>{LRN}</LRN>".encode(), f"<MRN>{MRN}</MRN>".encode())
        .replace(b"<bindingItinerary>0</bindingItinerary>",
                 b"<bindingItinerary>0</bindingItinerary><amendmentTypeFlag>0</amendmentTypeFlag>"),
        "shipment.amended", None, "2026-03-01T09:15:00",
    ),
    "CC014C": (
        transit("CC014C", operation(f"MRN={MRN}"), f"<Invalidation><requestDateAndTime>{AT}</requestDateAndTime>"
                "<initiatedByCustoms>0</initiatedByCustoms></Invalidation>", AT_DEPARTURE, HELD_BY),
        "shipment.withdrawn", None, AT,
    ),
    "CC015C": (DECLARATION, "shipment.declared", None, "2026-03-01T09:15:00"),
    "CC029C": (
        DECLARATION.replace(b"CC015C", b"CC029C").replace(
            f"<LRN>{LRN}</LRN>".encode(), f"<LRN>{LRN}</LRN><MRN>{MRN}</MRN>".encode()
        ).replace(b"<security>", f"<declarationAcceptanceDate>2026-02-28</declarationAcceptanceDate><releaseDate>{DAY}"
                  "</releaseDate><security>".encode())
        .replace(b"<PreviousDocument>", b"<PlaceOfLoading/><PreviousDocument>", 1),
        "shipment.released", "released-for-transit", DAY,
    ),
    "CC035C": (
        transit("CC035C", operation(f"MRN={MRN}", "declarationAcceptanceDate=2026-02-28"),
                f"<RecoveryNotification><recoveryNotificationDate>{DAY}</recoveryNotificationDate><amountClaimed>10.00"
                "</amountClaimed><currency>EUR</currency></RecoveryNotification>", AT_DEPARTURE,
                "<CustomsOfficeOfRecoveryAtDeparture><referenceNumber>FR000222</referenceNumber>"
                "</CustomsOfficeOfRecoveryAtDeparture>", HELD_BY),
        "shipment.documents-required", "recovery", DAY,
    ),
    "CC043C": (
        transit("CC043C", operation(f"MRN={MRN}", "declarationType=T1", "security=0", "reducedDatasetIndicator=0"),
                AT_DESTINATION),
        "shipment.discharged", "unloading-permitted", "2026-03-01T09:15:00",
    ),
    "CC044C": (
        transit("CC044C", operation(f"MRN={MRN}"), AT_DESTINATION,
                f"<UnloadingRemark><conform>1</conform><unloadingCompletion>1</unloadingCompletion><unloadingDate>{DAY}"
                "</unloadingDate><stateOfSeals>1</stateOfSeals></UnloadingRemark>"),
        "shipment.discharged", "conform", DAY,
    ),
    "CC170C": (
        transit("CC170C", operation(f"LRN={LRN}"), AT_DEPARTURE, HELD_BY,
                "<Consignment><LocationOfGoods><typeOfLocation>A</typeOfLocation><qualifierOfIdentification>U"
                "</qualifierOfIdentification><UNLocode>FRMRS</UNLocode></LocationOfGoods><HouseConsignment>"
                "<sequenceNumber>1</sequenceNumber></HouseConsignment></Consignment>"),
        "shipment.arrived", None, "2026-03-01T09:15:00",
    ),
    "CC182C": (
        transit("CC182C", operation(f"MRN={MRN}", f"incidentNotificationDateAndTime={AT}"), AT_DEPARTURE,
                "<CustomsOfficeOfIncidentRegistration><referenceNumber>CH001999</referenceNumber>"
                "</CustomsOfficeOfIncidentRegistration>",
                "<Consignment><Incident><sequenceNumber>1</sequenceNumber><code>2</code><text>seal cut</text><Location>"
                "<qualifierOfIdentification>U</qualifierOfIdentification><UNLocode>CHBRN</UNLocode><country>CH</country>"
                "</Location><TransportEquipment><sequenceNumber>1</sequenceNumber><containerIdentificationNumber>"
                "CBMU2046175</containerIdentificationNumber><numberOfSeals>1</numberOfSeals><Seal><sequenceNumber>1"
                "</sequenceNumber><identifier>S-2</identifier></Seal></TransportEquipment></Incident></Consignment>"),
        "shipment.amended", "seals-broken", AT,
    ),
    "CC906C": (
        transit("CC906C", f"<Header><LRN>{LRN}</LRN></Header>", ERRORS), "shipment.rejected", "functional-error",
        "2026-03-01T09:15:00",
    ),
    "CC917C": (
        transit("CC917C", f"<Header><LRN>{LRN}</LRN></Header>",
                "<XMLError><errorLineNumber>7</errorLineNumber><errorColumnNumber>2</errorColumnNumber><errorCode>13"
                "</errorCode><errorText>SECRET</errorText></XMLError>"),
        "shipment.rejected", "xml-error", "2026-03-01T09:15:00",
    ),
}  # fmt: skip


def read(content: bytes, origin: Origin = ORIGIN) -> list[Any]:
    """Return the messages of a document."""
    return list(messages(NCTS, Document(content), origin))


def read_one(content: bytes, origin: Origin = ORIGIN) -> Any:
    """Return the one message of a document."""
    (message,) = read(content, origin)
    return message


def changed(base: bytes, *changes: tuple[str, str]) -> bytes:
    """Return a document with texts replaced, each of which has to be there."""
    for before, after in changes:
        assert before.encode() in base, before
        base = base.replace(before.encode(), after.encode())
    return base
