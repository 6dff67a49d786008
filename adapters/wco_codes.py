"""The code tables of the WCO translators: namespaces, document types, roles; and those of the profile, made ready.

Owns which code means what in the WCO Data Model; what differs by nation stands in the profiles' `wco.toml`.
Never reads or writes a document.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from adapters.profile import Profile

FAMILY = "wco"
# WCO Data Model 3.6, profile DMS 2.
METADATA = "urn:wco:datamodel:WCO:DocumentMetaData-DMS:2"
DEC = "urn:wco:datamodel:WCO:DEC-DMS:2"
RES = "urn:wco:datamodel:WCO:RES-DMS:2"
# The data set of RES, whose schema declares what stands within a date-time.
RES_DS = "urn:wco:datamodel:WCO:Response_DS:DMS:2"

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


@dataclass(frozen=True, slots=True)
class Responses:
    """What the function codes of responses mean in a profile, both ways."""

    events: Mapping[str, tuple[str, str]]
    """Code -> (type, outcome)."""
    outcomes: Mapping[tuple[str, str], str]
    """(Code, status) -> outcome."""
    statuses: Mapping[str, tuple[str, str]]
    """Outcome -> (code, status)."""
    moments: Mapping[str, str]
    """Code -> which time says when it happened; none: that from which it holds."""
    by_event: Mapping[tuple[str, str], str]
    by_type: Mapping[str, str]


@functools.lru_cache(maxsize=16)
def responses_of(profile: Profile) -> Responses:
    """Return a profile's codes of responses."""
    table = profile.table(FAMILY, "response")
    events = {code: (one["type"], one["outcome"]) for code, one in table.items()}
    outcomes = {}
    for key, outcome in profile.table(FAMILY, "response-status").items():
        code, _, status = key.partition("/")
        outcomes[code, status] = outcome
    return Responses(
        events=events,
        outcomes=outcomes,
        statuses={outcome: pair for pair, outcome in outcomes.items()},
        moments={code: one["moment"] for code, one in table.items() if "moment" in one},
        by_event={pair: code for code, pair in events.items()},
        by_type=profile.table(FAMILY, "response-function"),
    )
