"""The code tables of the WCO translators: namespaces, function codes, document types, roles.

Owns which code means what in this profile of the WCO Data Model. Never reads or writes a document.
"""

from schemas.shipment import Scheme

# WCO Data Model 3.6, profile DMS 2.
METADATA = "urn:wco:datamodel:WCO:DocumentMetaData-DMS:2"
DEC = "urn:wco:datamodel:WCO:DEC-DMS:2"
RES = "urn:wco:datamodel:WCO:RES-DMS:2"
# The data set of RES, whose schema declares what stands within a date-time.
RES_DS = "urn:wco:datamodel:WCO:Response_DS:DMS:2"

# UNTDID 1225 in a declaration (WCO 017). Anything else that is a number changes a declaration.
DECLARED_FUNCTIONS = frozenset({"9", "14"})
REPEATED_FUNCTIONS = frozenset({"7", "31", "35"})
WITHDRAWN_FUNCTIONS = frozenset({"1", "3"})
# 13 is an additional message on a declaration; its TypeCode (WCO D013) says which.
REQUEST_FUNCTION = "13"
REQUEST_TYPES = {
    "INV": "shipment.withdrawn",
    "COR": "shipment.amended",
    # Presentation of goods that had been declared before they came.
    "GPR": "shipment.arrived",
}

# Response/FunctionCode (WCO 017) as the profile's own notifications use it: (type, decision.outcome).
RESPONSES: dict[str, tuple[str, str]] = {
    "01": ("shipment.declared", "accepted"),
    "02": ("shipment.declared", "received"),
    "03": ("shipment.rejected", "rejected"),
    "05": ("shipment.selected-for-inspection", "control"),
    "06": ("shipment.documents-required", "documents-required"),
    "07": ("shipment.amended", "amended"),
    "08": ("shipment.released", "released"),
    "09": ("shipment.released", "cleared"),
    "10": ("shipment.withdrawn", "invalidated"),
    "11": ("shipment.declared", "request-decided"),
    "13": ("shipment.declared", "duties-notified"),
    "14": ("shipment.declared", "balance-insufficient"),
    "15": ("shipment.declared", "balance-reminder"),
    "16": ("shipment.exited", "exited"),
    "18": ("shipment.declared", "exit-reminder"),
}
# What a status says beyond the function code (WCO 379). A request that was refused leaves the
# declaration as it stood, hence no `shipment.rejected`.
OUTCOME_BY_STATUS = {("11", "39"): "request-granted", ("11", "41"): "request-refused"}
STATUS_BY_OUTCOME = {outcome: (code, status) for (code, status), outcome in OUTCOME_BY_STATUS.items()}

# The code under which an event goes out where its outcome has none of its own. `refused` and `held`
# go out as a control: whoever knows nothing of the finer word still keeps the goods.
FUNCTION_BY_TYPE = {
    "shipment.declared": "02",
    "shipment.amended": "07",
    "shipment.withdrawn": "10",
    "shipment.rejected": "03",
    "shipment.documents-required": "06",
    "shipment.selected-for-scan": "05",
    "shipment.selected-for-inspection": "05",
    "shipment.held": "05",
    "shipment.refused": "05",
    "shipment.inspected": "07",
    "shipment.released": "08",
    "shipment.exited": "16",
}
FUNCTION_BY_EVENT = {pair: code for code, pair in RESPONSES.items()}

# The list that names a code as one of cbm's own (StatementCode/@listID, WCO 226).
EVENT_LIST = "urn:cbm:shipment:1"
# StatementCode has seventeen characters.
EVENT_WORDS = {
    "scan": "shipment.selected-for-scan",
    "inspection": "shipment.selected-for-inspection",
    "held": "shipment.held",
    "refused": "shipment.refused",
    "inspected": "shipment.inspected",
    "declared": "shipment.declared",
    "amended": "shipment.amended",
    "withdrawn": "shipment.withdrawn",
    "rejected": "shipment.rejected",
    "documents": "shipment.documents-required",
    "released": "shipment.released",
    "exited": "shipment.exited",
}
WORD_BY_TYPE = {type_: word for word, type_ in EVENT_WORDS.items()}

# UNTDID 1001: contracts of carriage and what lists the cargo under them.
TRANSPORT_DOCUMENTS = frozenset(
    """
    703 704 705 706 707 708 709 710 711 712 713 714 715 716 720 721 722 730 740 741 743 744 750 760 761 763 765
    766 785 787 789
    """.split()  # noqa: SIM905 (codes read better in a row)
)
# Commercial papers, which are no permission to anything: packing lists, invoices.
COMMERCIAL_DOCUMENTS = frozenset("271 325 326 331 380 383 384 385 386 388 389 393 395 935".split())  # noqa: SIM905
# Authorisations of a trader, the same on all of its declarations: they tell no consignment from another.
AUTHORISATIONS = frozenset({*(f"C{n}" for n in range(500, 530)), "C019", "C600", "C601", "C604", "C626", "C627", "C676",
                            "C990", "D019", "N990"})  # fmt: skip
# Profile codes of PreviousDocument/TypeCode (WCO D019).
PREVIOUS_DOCUMENTS: dict[str, Scheme] = {
    "DCR": "ucr",
    "MCR": "ucr",
    "DCS": "ucr",
    "MRN": "mrn",
    # Written into responses for a second LRN; not a code of the profile.
    "LRN": "lrn",
}

# DE 7/7 of the EU data model (IdentificationTypeCode, WCO T018): what the number of a means of transport is.
MEANS_SCHEMES = {
    "10": "imo",
    "11": "name",
    "20": "wagon",
    "21": "train",
    "30": "registration",
    "31": "registration",
    "40": "flight",
    "41": "registration",
    "80": "eni",
    "81": "name",
}

# Classification/IdentificationTypeCode (WCO 337): the tariff number, and the digits that lengthen it.
TARIFF = frozenset({"TSP", "HS"})
TARIFF_SUFFIX = frozenset({"TRC"})

# Where parties stand, from Declaration downwards, and the role they have there.
PARTIES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("Submitter",), "submitter"),
    (("Declarant",), "declarant"),
    (("Agent",), "agent"),
    (("Exporter",), "exporter"),
    (("Consignment", "Carrier"), "carrier"),
    (("Consignment", "Consignor"), "consignor"),
    (("GoodsShipment", "Consignor"), "consignor"),
    (("GoodsShipment", "Consignee"), "consignee"),
    (("GoodsShipment", "Importer"), "importer"),
    (("GoodsShipment", "Buyer"), "buyer"),
    (("GoodsShipment", "Seller"), "seller"),
    (("GoodsShipment", "Consignment", "Carrier"), "carrier"),
)
ITEM_PARTIES = (("Consignor", "consignor"), ("Consignee", "consignee"), ("Buyer", "buyer"), ("Seller", "seller"))

# Kilograms in a unit of mass (UNECE Recommendation 20); no unit means kilograms.
KILOGRAMS = {"KGM": 1.0, "KG": 1.0, "TNE": 1000.0, "GRM": 0.001, "LBR": 0.45359237, "DTN": 100.0}
