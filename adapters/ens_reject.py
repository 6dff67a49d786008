"""Rejects entry summary declarations: every fault that `ens_check` finds, as the answer that an authority would give.

Owns which error type a fault has in CC316A and CC305A. Never decides that a declaration is to be rejected: that is
for whoever calls it, as an agency's own system does before it takes a declaration in.

`python -m adapters.ens_reject FILE --as AGENCY` writes the rejections of a file's declarations.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from adapters.document import Document, Origin, local_name
from adapters.ens import EntrySummary
from adapters.ens_check import check_message, messages_of
from adapters.ens_group import IcsMessage
from adapters.ens_reason import error_line, joined
from adapters.ens_rules import LIMIT
from adapters.profile import chosen
from adapters.translator import Draft, Reading, messages
from schemas.errors import Fault, TranslationError
from schemas.shipment import Decision, Party, Shipment

_DECLARATIONS = ("CC315A", "CC313A")
# FunctionalErrorCodes of the ICS: an incorrect value, a missing one, one that is not supported there, too many.
_INCORRECT, _MISSING, _UNSUPPORTED, _TOO_MANY = "12", "13", "15", "35"
_OF_FORM = {"missing": _MISSING, "unexpected": _UNSUPPORTED, "order": _UNSUPPORTED, "repeats": _TOO_MANY}
_NEEDED = re.compile(r"\b(?:needed|needs)\b")
_FORBIDDEN = re.compile(r"\b(?:has no|have no|there is no|neither|no .* beside)\b")
_LINE = re.compile(r" \(line \d+\)$")


class Rejections(EntrySummary):
    """Reads declarations into what rejects them: nothing for one without a fault."""

    title = "Rejections of entry summary declarations"

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read every declaration that has faults into `shipment.rejected`, at the moment of receipt.

        Raises:
            TranslationError: a declaration is not legible, so that there is nothing an answer could name.
        """
        found = [message for message in messages_of(document.xml) if local_name(message) in _DECLARATIONS]
        told = [draft for draft in super().read(document, origin).drafts if _is_declaration(draft)]
        rejected = []
        for index, (message, draft) in enumerate(zip(map(IcsMessage, found), told, strict=True)):
            if faults := check_message(message, origin.profile):
                id_ = f"rejected-{document.sha256[:32]}-{index}"
                rejected.append(_rejected(draft, message, faults, origin, id_))
        return Reading(tuple(rejected))


def _is_declaration(draft: Draft) -> bool:
    return isinstance(draft.data, Shipment) and draft.data.decision is None


def _rejected(draft: Draft, message: IcsMessage, faults: list[Fault], origin: Origin, id_: str) -> Draft:
    assert isinstance(draft.data, Shipment)
    amended = message.header.value("DatTimAmeHEA113")
    last = [f"DatTimAmeHEA113: {amended}"] if amended is not None and message.name == "CC313A" else []
    reason = joined(list(_lines(faults)), last)
    decision = Decision(authority=origin.agency, outcome="rejected", reason=reason, automatic=True)
    moment = origin.received.astimezone(origin.zone)
    sender = message.value("MesSenMES3")
    asking = [Party(role="recipient", id=sender[:512])] if sender is not None else []
    parties = [*asking, *(draft.data.parties or ())] or None
    changes = {"decision": decision, "occurred": moment, "zone_assumed": None, "parties": parties}
    data = draft.data.model_copy(update=changes)
    asked = message.value("MesIdeMES19")
    attributes = draft.attributes | ({"correlationid": asked} if asked else {})
    return replace(draft, type="shipment.rejected", time=moment, data=data, attributes=attributes, id=id_)


def _lines(faults: list[Fault]) -> Iterator[str]:
    for fault in faults:
        code = fault.code.removeprefix("ens-")
        number = code.upper() if any(letter.isdigit() for letter in code) else None
        yield error_line(error_type(fault), number, _LINE.sub("", fault.pointer)[:210])


def error_type(fault: Fault) -> str:
    """Return the error type (FunctionalErrorCodes) of a fault of `ens_check`."""
    code = fault.code.removeprefix("ens-")
    if code in _OF_FORM:
        return _OF_FORM[code]
    if fault.detail.startswith(LIMIT):
        return _TOO_MANY
    if _NEEDED.search(fault.detail):
        return _MISSING
    return _UNSUPPORTED if _FORBIDDEN.search(fault.detail) else _INCORRECT


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 4 where a declaration is not legible."""
    parser = argparse.ArgumentParser(prog="python -m adapters.ens_reject", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--as", dest="agency", required=True, metavar="AGENCY", help="the authority that rejects")
    parser.add_argument("--zone", default="UTC", help="its time zone, e.g. Asia/Seoul")
    parser.add_argument("--profile", default="neutral", help="whose rules and numbers: neutral, uk, a folder")
    given = parser.parse_args(arguments)
    received = datetime.fromtimestamp(int(given.file.stat().st_mtime), UTC)
    translator = Rejections()
    try:
        document = Document(given.file.read_bytes())
        origin = Origin(given.agency, received, ZoneInfo(given.zone), chosen(given.profile))
        for message in messages(translator, document, origin):
            sys.stdout.write(translator.write(message).decode())
    except TranslationError as error:
        sys.stderr.write("".join(f"{fault}\n" for fault in error.faults))
        return 4
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
