"""What signatures cost: a message signed, verified by the broker, and verified again by a recipient, in processor time.

    python -m bench.signatures

Owns the sizes and the table; it runs in one process and needs no RabbitMQ.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from broker.disclosures import places
from broker.keys import Keyring, PublicKey, SigningKey
from broker.signatures import check, sign_bytes, verify
from broker.views import TokenKey, pointer_pattern, redact
from schemas import parse

AGENCY = "kr.customs"
KEY = SigningKey.new("bench")
PUBLIC = PublicKey(id=KEY.id, public=KEY.public)
RING = Keyring({AGENCY: [PUBLIC]})
NOW = datetime.now(UTC)
WITHHELD = [pointer_pattern("/data/parties/*/name")]
TOKENS = [pointer_pattern("/data/identifiers/*/value")]


def event(items: int) -> dict[str, Any]:
    """A shipment event with so many goods items."""
    item = {"hs": "060290", "origin": "TH", "gross_mass_kg": 12.5, "description": "roses, cut, fresh"}
    return {
        "specversion": "1.0",
        "id": "1",
        "source": AGENCY,
        "type": "shipment.held",
        "subject": "6KR12345678",
        "time": NOW.isoformat(),
        "datacontenttype": "application/json",
        "dataschema": "urn:cbm:shipment:1",
        "data": {
            "identifiers": [{"scheme": "ucr", "value": "6KR12345678"}],
            "occurred": NOW.isoformat(),
            "place": {"locode": "KRPUS", "country": "KR"},
            "parties": [{"role": "importer", "name": "Hanla Trading"}, {"role": "carrier", "name": "Sea & Sons"}],
            "goods": [{"item": number + 1} | item for number in range(items)],
            "equipment": [{"number": "CBMU2046175", "seals": ["S1", "S2"]}],
        },
    }


def cost_us(work: Callable[[], object]) -> float:
    """The least processor time that a piece of work took, in microseconds; others on the machine only add to it."""
    times = []
    end = time.monotonic() + 0.7
    while time.monotonic() < end or len(times) < 3:
        began = time.process_time_ns()
        work()
        times.append(time.process_time_ns() - began)
    return min(times) / 1000


def main() -> None:
    """Print the table."""
    print("form      bytes    fields   read     sign    verify   make a view   verify a view   (µs)")
    for items in (2, 1000):
        body = json.dumps(event(items)).encode()
        fields = len(places(json.loads(body)))
        for form in ("unsigned", "whole", "by field"):
            message = body if form == "unsigned" else sign_bytes(body, KEY, by_field=form == "by field")
            by_field = form == "by field"
            making = partial(redact, message, WITHHELD, TOKENS, TokenKey(b"bench", "bench"))
            view = making()
            assert view is not None
            columns = [cost_us(partial(parse, message)), 0, 0, cost_us(making), 0]
            if form != "unsigned":
                checking = partial(check, message, {KEY.id: PUBLIC}, NOW.date())
                assert checking() == ()
                columns[1:3] = [cost_us(partial(sign_bytes, body, KEY, by_field=by_field)), cost_us(checking)]
            if by_field:
                columns[4] = cost_us(partial(verify, view.body, RING))
            row = f"{form:9} {len(message):7} {fields:7} {columns[0]:8.0f} {columns[1]:8.0f} {columns[2]:8.0f}"
            print(f"{row} {columns[3]:12.0f} {columns[4]:14.0f}")


if __name__ == "__main__":
    main()
