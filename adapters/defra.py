"""The United Kingdom's border systems, Defra's side: ALVS, BTMS, IPAFFS and the trade imports data API.

Owns which translator a document belongs to. Finding the messages in a document is in defra_parts.py, what
they say in the modules beside it, what their codes mean in profiles/uk/defra.toml.
"""

from collections.abc import Callable

from adapters.defra_ched import read_ched
from adapters.defra_decision import read_decision
from adapters.defra_decision_write import as_json, as_soap, notification_of
from adapters.defra_gmr import read_gmr
from adapters.defra_outcome import read_error, read_finalisation
from adapters.defra_parts import Kind, Part, kinds_of, parts_of
from adapters.defra_request import read_request
from adapters.document import Document, Findings, Origin
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Draft, Reading, Translator
from schemas import Message
from schemas.errors import Fault, TranslationError

_READERS: dict[Kind, Callable[[Part, Origin, Findings], list[Draft]]] = {
    "request": read_request,
    "decision": read_decision,
    "finalisation": read_finalisation,
    "error": read_error,
    "ched": read_ched,
    "gmr": read_gmr,
}
# More messages than a notification with every item under every check gives.
MAX_MESSAGES = 10_000


class Defra:
    """One kind of message, in every form that it has."""

    can_read = True
    can_write = False

    def __init__(self, name: str, title: str, *kinds: Kind, xml: bool = True, json: bool = True) -> None:
        self.name = name
        self.title = title
        self.suffix = ".xml" if xml else ".json"
        self._kinds = frozenset(kinds)
        self._forms = {form for form, has in ((True, xml), (False, json)) if has}

    def recognise(self, document: Document) -> float:
        """By what the document holds: one kind of message is that kind's, several are a declaration's."""
        found = kinds_of(document)
        if not found or not {form for _, form in found} <= self._forms:
            return 0.0
        kinds = {kind for kind, _ in found}
        return 0.95 if kinds <= self._kinds and (len(self._kinds) == 1 or len(kinds) > 1) else 0.0

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read every message of the kind; of several, one that is illegible does not keep the others back."""
        findings = Findings()
        drafts: list[Draft] = []
        parts = [part for part in parts_of(document, findings) if part.kind in self._kinds]
        if not parts and not findings.faults:
            findings.fault("no-message", "", f"holds no {' or '.join(sorted(self._kinds))}")
        findings.settle()
        for part in parts:
            found = Findings(warnings=findings.warnings)
            drafts += _read_part(part, origin, found)
            findings.faults += found.faults
            if len(drafts) > MAX_MESSAGES:
                raise TranslationError([Fault("too-many", "", f"more than {MAX_MESSAGES} messages")])
        if drafts:
            for fault in findings.faults:
                findings.warn(f"not-read-{fault.code}"[:64], fault.pointer, fault.detail)
            findings.faults.clear()
        findings.settle()
        return Reading(tuple(drafts), tuple(findings.warnings))

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Refuse: only decisions are written."""
        detail = f"{self.name} is read only; defra-decision answers it"
        raise TranslationError([Fault("not-expressible", "/type", detail)])


class DefraDecision(Defra):
    """Decision notifications, which are written too."""

    can_write = True

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Write one decision on one or several items.

        Raises:
            TranslationError: it is no decision, or says too little: no entry reference, no item, no check.
        """
        found = notification_of(message, profile)
        return as_soap(found) if True in self._forms else as_json(found)


def _read_part(part: Part, origin: Origin, findings: Findings) -> list[Draft]:
    if part.record is None:
        part.around.findings = findings
        part.around.fault("no-content", "tells of a change and does not hold it")
        return []
    for record in (part.record, part.around):
        record.findings = findings
    drafts = _READERS[part.kind](part, origin, findings)
    return [] if findings.faults else drafts


TRANSLATORS: tuple[Translator, ...] = (
    Defra("defra-clearance-request", "Defra clearance request (ALVS, BTMS), SOAP, XML or JSON", "request"),
    DefraDecision("defra-decision", "Defra decision notification, SOAP", "decision", json=False),
    DefraDecision("defra-decision-json", "Defra decision notification, JSON", "decision", xml=False),
    Defra("defra-finalisation", "Defra finalisation notification, SOAP, XML or JSON", "finalisation"),
    Defra("defra-error", "Defra and HMRC error notifications, SOAP, XML or JSON", "error"),
    Defra(
        "defra-declaration", "Customs declaration of Defra's trade imports API", "request", "decision", "finalisation",
        "error", xml=False,
    ),
    Defra("defra-ched", "Import notification of IPAFFS (CHED), JSON", "ched", xml=False),
    Defra("defra-gmr", "Goods movement record of GVMS, JSON", "gmr", xml=False),
)  # fmt: skip
