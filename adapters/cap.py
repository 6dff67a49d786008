"""OASIS CAP: alerts of other warning services in, alerts and consignment notices for officers out.

Owns what is read as CAP: 1.0, 1.1 and 1.2 in whatever namespace, bare or in anything around it (cap_feed);
writes CAP 1.2 (cap_write). Never follows a link: an index that only points at alerts is refused.
"""

from adapters import cap_words as words
from adapters.cap_feed import ATOM, CAP_NAMESPACES, DISTRIBUTIONS, alerts, is_cap, root_of
from adapters.cap_read import Wrapping, read_alert
from adapters.cap_write import write_alert
from adapters.document import (
    Document,
    Element,
    Findings,
    Origin,
    children,
    descendants,
    local_name,
    namespace,
    place_of,
    text,
)
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Draft, Reading, Translator
from schemas import Message, Tlp
from schemas.errors import Fault, TranslationError

# The largest national feeds hold some hundreds.
MAX_ALERTS = 2000


class Cap:
    """Translates between CAP and cbm; see docs/FORMATS.md for what becomes what."""

    name = "cap"
    title = "OASIS Common Alerting Protocol 1.2 (reads 1.0, 1.1, Atom, RSS and EDXL-DE around it)"
    can_read = True
    can_write = True
    suffix = ".xml"

    def recognise(self, document: Document) -> float:
        """By root element and namespace; a document that is no XML is CAP if it names CAP's namespace."""
        if not document.looks_like_xml:
            return 0.0
        try:
            root = document.xml
        except TranslationError:
            return 0.6 if any(ns.encode() in document.content[:4096] for ns in CAP_NAMESPACES) else 0.0
        kind, inside = local_name(root), next(root.iter("{*}alert"), None) is not None
        if kind == "alert":
            if is_cap(namespace(root)):
                return 1.0
            return 0.8 if children(root, "identifier") or children(root, "msgType") else 0.2
        if kind in DISTRIBUTIONS:
            return 0.95 if inside else 0.5
        # An alert that stands in a feed as text names its own space there.
        named = any(ns.encode() in document.content for ns in CAP_NAMESPACES)
        if kind in ("feed", "entry") and namespace(root) == ATOM:
            return 0.95 if inside or named or any(is_cap(namespace(e)) for e in root.iter("{*}*")) else 0.5
        if kind == "rss":
            return 0.9 if inside or named else 0.0
        if kind == "alerts":
            return 0.9 if inside else 0.5
        return 0.7 if any(is_cap(namespace(e)) for e in root.iter("{*}alert")) else 0.0

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read every alert of the document.

        In a document of several, one that is illegible does not keep the others back: its faults are
        told as warnings. Where none is legible the document is refused with the faults of all.
        """
        findings = Findings()
        root = root_of(document, findings)
        wrapping = _wrapping(root, findings)
        drafts: list[Draft] = []
        faults: list[Fault] = []
        found = 0
        for alert in alerts(root, findings):
            found += 1
            if found > MAX_ALERTS:
                raise TranslationError([Fault("too-many", place_of(root), f"more than {MAX_ALERTS} alerts")])
            own = Findings(warnings=findings.warnings)
            drafts += read_alert(alert, origin, own, wrapping)
            faults += own.faults
        if drafts:
            for fault in faults:
                findings.warn("alert-not-read", fault.pointer, f"{fault.code}: {fault.detail}")
            return Reading(tuple(drafts), tuple(findings.warnings))
        if not found:
            faults.append(Fault("no-alert", place_of(root), "holds no CAP alert, at most links to some"))
        raise TranslationError(faults)

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Write one CAP 1.2 alert."""
        return write_alert(message)


def _wrapping(root: Element, findings: Findings) -> Wrapping:
    """Read what EDXL-DE says of its content: confidentiality, status, addressees."""
    if local_name(root) not in DISTRIBUTIONS:
        return Wrapping()
    markings: list[Tlp] = []
    for name in ("combinedConfidentiality", "CombinedConfidentiality", "confidentiality", "Confidentiality"):
        for element in descendants(root, name):
            said = "".join(element.itertext())
            marking = words.marking_in(said) or words.CONFIDENTIALITY.get(words.plain(said))
            if marking is None:
                findings.warn_at("confidentiality", element, "not a known marking: AMBER+STRICT, the safe side")
            markings.append(marking or Tlp.AMBER_STRICT)
    addressed = [
        "".join(value.itertext()).strip().lower()
        for address in descendants(root, "explicitAddress")
        for value in children(address, "explicitAddressValue")
    ]
    status = text(root, "distributionStatus")
    return Wrapping(
        markings=tuple(markings),
        recipients=tuple(addressed),
        test=status is not None and words.word(status, ("Test", "Exercise")) is not None,
    )


TRANSLATORS: tuple[Translator, ...] = (Cap(),)
