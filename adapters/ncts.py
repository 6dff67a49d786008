"""The translator of NCTS, the common transit system of the EU, the UK and the countries of the convention.

Owns recognising its messages, and which module reads and which writes them. Never maps a field itself.
"""

from adapters.document import Document, Findings, Origin, namespace, place_of
from adapters.ncts_codes import KINDS, NAMESPACE
from adapters.ncts_read import MessageReader
from adapters.ncts_tree import is_named, looks_like_json, messages_of, signed
from adapters.ncts_write import write_message
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Reading, Translator
from schemas import Message
from schemas.errors import TranslationError

# An envelope holds one message, or what a system sends at once.
MAX_MESSAGES = 999


class Transit:
    """NCTS messages (CC015C and its like) in XML or JSON, bare or in an envelope, whatever the prefix."""

    name = "ncts"
    title = "Common transit (NCTS phases 5 and 6: CC015C, CC007C and the answers to them, XML and JSON)"
    can_read = True
    can_write = True
    suffix = ".xml"

    def recognise(self, document: Document) -> float:
        """Certain of the name space of NCTS and of its JSON form; less so by a message's name alone."""
        try:
            if not (document.looks_like_xml or looks_like_json(document)) or not is_named(document):
                return 0.0
            if looks_like_json(document):
                return 1.0 if signed(document) else 0.0
            found = messages_of(document, Findings())
        except TranslationError:
            return 0.5 if signed(document) else 0.0
        if not found:
            return 0.0
        return 1.0 if namespace(found[0]).startswith(NAMESPACE) else 0.8

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read every message of the document; a partial release makes one more for each item that is released."""
        findings = Findings()
        found = messages_of(document, findings)
        if not found:
            place = "/"
            findings.fault("not-ncts", place, f"holds none of {', '.join(sorted(KINDS))}")
        if len(found) > MAX_MESSAGES:
            findings.fault("too-many-messages", place_of(found[0].getroottree().getroot()), f"more than {MAX_MESSAGES}")
            findings.settle()
        drafts = [draft for message in found for draft in MessageReader(message, origin, findings).drafts()]
        findings.settle()
        return Reading(tuple(drafts), tuple(findings.warnings))

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Write the decision that a message tells; see `ncts_write` for which, and for what each asks."""
        return write_message(message, profile)


TRANSLATORS: tuple[Translator, ...] = (Transit(),)
