"""Who may see what of whom: the agreements, compiled so that a decision is a lookup. Pure.

Owns default deny: what no agreement names reaches nobody. Never knows RabbitMQ and has no clock.
"""

import hashlib
from collections.abc import Sequence
from datetime import date

from broker.settings import RECEIPT_TYPES, TYPES, Agency, Agreement, Settings, type_matches
from schemas.envelope import Tlp


class Agreements:
    """The agreements of one version of cbm.toml."""

    def __init__(self, agencies: Sequence[Agency], agreements: Sequence[Agreement]) -> None:
        self.version = hashlib.sha256(
            "\n".join(a.model_dump_json(by_alias=True) for a in (*agencies, *agreements)).encode()
        ).hexdigest()[:16]
        self._publishes = {
            agency.id: frozenset(t for t in TYPES if any(type_matches(p, t) for p in agency.publishes))
            for agency in agencies
        }
        index: dict[tuple[str, str], list[tuple[str, Agreement]]] = {}
        for agreement in agreements:
            types = [t for t in TYPES if any(type_matches(p, t) for p in agreement.types)]
            for sender in agreement.from_:
                for type_ in types:
                    # Nobody is sent his own message, whatever a broad agreement says.
                    index.setdefault((sender, type_), []).extend((to, agreement) for to in agreement.to if to != sender)
        self._index = {key: tuple(found) for key, found in index.items()}

    @classmethod
    def of(cls, settings: Settings) -> "Agreements":
        """Compile what cbm.toml says."""
        return cls(settings.agency, settings.agreement)

    def may_publish(self, agency: str, type_: str) -> bool:
        """Tell whether an agency may publish a type at all."""
        return type_ in self._publishes.get(agency, ())

    def is_type(self, type_: str) -> bool:
        """Tell whether there is such a type, whoever may publish it."""
        return type_ in TYPES or type_ in RECEIPT_TYPES

    def recipients(
        self, sender: str, type_: str, marking: Tlp, audience: frozenset[str] | None, today: date
    ) -> dict[str, Agreement]:
        """Return who receives a message, each with the agreement that allows it.

        `audience` are the recipients the sender named (None: it named none; empty: nobody). Naming never
        widens: an agency without an agreement receives nothing, named or not.
        """
        allowed: dict[str, Agreement] = {}
        for recipient, agreement in self._index.get((sender, type_), ()):
            if recipient in allowed or (audience is not None and recipient not in audience):
                continue
            if self.why_not(agreement, marking, audience, today) is None:
                allowed[recipient] = agreement
        return allowed

    @staticmethod
    def why_not(agreement: Agreement, marking: Tlp, audience: frozenset[str] | None, today: date) -> str | None:
        """Return the condition by which an agreement of sender, recipient and type does not hold; None if it does."""
        if agreement.valid_from is not None and today < agreement.valid_from:
            return f"in force from {agreement.valid_from} only"
        if agreement.valid_until is not None and today > agreement.valid_until:
            return f"ended on {agreement.valid_until}"
        if marking.sensitivity > agreement.max_tlp.sensitivity:
            return f"carries nothing more sensitive than TLP:{agreement.max_tlp}, this is TLP:{marking}"
        if marking is Tlp.RED and audience is None:
            return "TLP:RED reaches named recipients only"
        return None

    def considered(self, sender: str, type_: str) -> tuple[tuple[str, Agreement], ...]:
        """Return every (recipient, agreement) of a sender and type, whether it holds today or not."""
        return self._index.get((sender, type_), ())
