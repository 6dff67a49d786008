"""The IPPC hub's envelopes (`http://ephyto.ippc.int/`): what they carry, and what they say of it themselves.

Owns finding certificates and acknowledgements in what carries them: SOAP, `DeliverEnvelope`,
`PULLImportEnvelopeResponse`, `DeliverCountryResponseEnvelope` and their like, as elements or as the escaped text
of a `Content`. Never says what a certificate means.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from adapters.document import Element, Findings, Identifiers, child, local_name, namespace, parse_xml, place_of, text
from schemas.errors import TranslationError

NAMESPACE = "ephyto.ippc.int"
# The hub's own numbers are its own: no certificate's number is one.
_ISSUER = "IPPC hub"
_DECLARATION = re.compile(r"^<\?xml[^>]*\?>")
_BLANKS = "\ufeff \t\r\n"
# A Content inside a Content inside a Content is a maze and no envelope.
_MAX_DEPTH = 3


@dataclass(frozen=True, slots=True)
class Carried:
    """One certificate or acknowledgement, and the envelope around it, if there is one."""

    element: Element
    envelope: Element | None = None


def carried(root: Element, name: str, findings: Findings, depth: int = 1) -> Iterator[Carried]:
    """Yield every outermost element of that name; a Content that is no XML is a fault."""
    if local_name(root) == name:
        yield Carried(root)
        return
    for element in root.iter(f"{{*}}{name}", "{*}Content"):
        parent = element.getparent()
        if local_name(element) == name:
            if not any(local_name(above) == name for above in element.iterancestors()):
                yield Carried(element, parent if parent is not None and _is_envelope(parent) else None)
        elif parent is not None and is_xml(element) and _is_envelope(parent) and depth < _MAX_DEPTH:
            inner = _DECLARATION.sub("", (element.text or "").lstrip(_BLANKS))
            try:
                within = parse_xml(inner.encode())
            except TranslationError as error:
                for fault in error.faults:
                    findings.fault(fault.code, f"{place_of(element)}: {fault.pointer}", fault.detail)
                continue
            for one in carried(within, name, findings, depth + 1):
                yield Carried(one.element, parent)


def carries(root: Element, name: str) -> bool:
    """Tell whether an element of that name stands in it, or could in a Content that is XML and names it."""
    if local_name(root) == name or next(root.iter(f"{{*}}{name}"), None) is not None:
        return True
    return any(is_xml(content) and name in (content.text or "") for content in root.iter("{*}Content"))


def is_xml(element: Element) -> bool:
    """Tell whether an element's text opens a tag."""
    return (element.text or "").lstrip(_BLANKS).startswith("<")


def is_of_hub(root: Element) -> bool:
    """Tell whether a document is one of the hub's service, whatever is in it."""
    return any(NAMESPACE in namespace(element) for _, element in zip(range(20), root.iter("*"), strict=False))


def _is_envelope(element: Element) -> bool:
    """The hub calls it Envelope, ePhytoEnvelope, CountryResponseEnvelope or, in DeliverEnvelope, env."""
    name = local_name(element).lower()
    return "envelope" in name or name == "env" or child(element, "NPPOCertificateNumber") is not None


def read_envelope(envelope: Element, number: str | None, identifiers: Identifiers, findings: Findings) -> None:
    """Add the hub's own number to the references; warn where the envelope says other than what it carries."""
    identifiers.add("other", text(envelope, "hubDeliveryNumber") or text(envelope, "hubTrackingNumber"), _ISSUER)
    told = text(envelope, "NPPOCertificateNumber")
    if told is not None and number is not None and told != number:
        findings.warn_at("envelope", envelope, "names another number than the certificate, which holds",
                         "NPPOCertificateNumber")  # fmt: skip
    if text(envelope, "hubDeliveryErrorMessage") is not None:
        findings.warn_at("delivery", envelope, "the hub tells an error of its delivery", "hubDeliveryErrorMessage")
