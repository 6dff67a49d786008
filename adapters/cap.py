"""OASIS CAP: alerts of other warning services in, alerts and consignment notices for officers out.

Owns what becomes of a document of several alerts (where they hide: cap_feeds; what they say: cap_read).
Reads CAP 1.0, 1.1 and 1.2 in whatever namespace, writes CAP 1.2 (cap_write). Never follows a link: an index
that only points at alerts is refused.
"""

from adapters.cap_feeds import ATOM, CAP_NAMESPACES, find_alerts, flattened, is_cap, is_distribution
from adapters.cap_read import read_alert
from adapters.cap_write import write_alert
from adapters.document import (
    MAX_WARNINGS,
    Document,
    Element,
    Findings,
    Origin,
    child,
    children,
    local_name,
    namespace,
    place_of,
)
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Draft, Reading, Translator
from adapters.xml_repair import root_of
from schemas import Message
from schemas.errors import Fault, TranslationError

# The largest national feeds hold some hundreds.
MAX_ALERTS = 2000


class Cap:
    """Translates between CAP and cbm; see docs/FORMATS.md for what becomes what."""

    name = "cap"
    title = "OASIS Common Alerting Protocol 1.2 (reads 1.0, 1.1, Atom and EDXL-DE 1.0 around it)"
    can_read = True
    can_write = True
    suffix = ".xml"

    def recognise(self, document: Document) -> float:
        """By root element and namespace; a document that is no XML is CAP if it names CAP's namespace."""
        if not document.looks_like_xml:
            return 0.0
        try:
            root = root_of(document, Findings())
        except TranslationError:
            return 0.6 if any(ns.encode() in document.content[:4096] for ns in CAP_NAMESPACES) else 0.0
        kind, inside = local_name(root), next(root.iter("{*}alert"), None) is not None
        if kind == "alert":
            if is_cap(namespace(root)):
                return 1.0
            return 0.8 if children(root, "identifier") or children(root, "msgType") else 0.2
        if is_distribution(root):
            return 0.95 if inside else 0.5
        if kind == "alerts":
            return 0.9 if inside else 0.5
        is_atom = kind in ("feed", "entry") and namespace(root) == ATOM
        if not is_atom and not (kind in ("rss", "RDF") and child(root, "channel") is not None):
            return 0.7 if inside and any(is_cap(namespace(e)) for e in root.iter("{*}alert")) else 0.0
        # Escaped, an alert still names its namespace.
        if inside or _has_cap(root) or any(ns.encode() in document.content for ns in CAP_NAMESPACES):
            return 0.95
        return 0.5 if is_atom or any(is_cap(u) for u in root.nsmap.values()) else 0.2

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read every alert of the document.

        In a document of several, one that is illegible does not keep the others back: its faults are
        told as warnings. Where none is legible the document is refused with the faults of all.
        """
        findings = Findings()
        root = root_of(document, findings)
        drafts: list[Draft] = []
        faults: list[Fault] = []
        for count, found in enumerate(find_alerts(root, findings, origin.profile), start=1):
            if count > MAX_ALERTS:
                raise TranslationError([Fault("too-many", place_of(root), f"more than {MAX_ALERTS} alerts")])
            own = Findings(warnings=[] if found.inside else findings.warnings)
            index = found.index or flattened(found.alert, own)
            drafts += read_alert(found.alert, origin, own, found.wrapping, index)
            if found.inside:
                for one in own.warnings:
                    findings.warn(one.code, f"{found.inside} > {one.pointer}", one.detail)
                own.faults = [Fault(one.code, f"{found.inside} > {one.pointer}", one.detail) for one in own.faults]
            faults += own.faults
        faults += findings.faults
        if drafts:
            for fault in faults:
                findings.warn("alert-not-read", fault.pointer, f"{fault.code}: {fault.detail}")
            return Reading(tuple(drafts), tuple(findings.warnings))
        raise TranslationError(faults or _without_alert(root, findings))

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Write one CAP 1.2 alert."""
        return write_alert(message, profile)


def _has_cap(root: Element) -> bool:
    return any(is_cap(namespace(element)) for element in root.iter("{*}*"))


def _without_alert(root: Element, findings: Findings) -> list[Fault]:
    """Say why a document holds no alert: it has no entries, they only link to alerts, or there is nothing in it."""
    said = [one for one in findings.warnings if one.code in ("link-only", "no-alert")]
    if said:
        cut = [Fault("more-faults", "", "further entries are not told")] if len(said) == MAX_WARNINGS else []
        return [Fault(one.code, one.pointer or "", one.detail) for one in said] + cut
    if local_name(root) in ("feed", "rss", "RDF", "alerts"):
        return [Fault("empty-feed", place_of(root), "a feed without entries: no alert is in force")]
    return [Fault("no-alert", place_of(root), "holds no CAP alert")]


TRANSLATORS: tuple[Translator, ...] = (Cap(),)
