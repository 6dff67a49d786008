"""EDIFACT documents of our own, for the tests of the family: those of `examples/formats`."""

from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples" / "formats"
ALL = {path.stem: path.read_text() for path in sorted(EXAMPLES.glob("edifact-*.edi"))}

CARGO_REPORT = ALL["edifact-cuscar"]
DECLARATION = ALL["edifact-cusdec"]
RESPONSE = ALL["edifact-cusres"]
GATE = ALL["edifact-codeco"]
DISCHARGE = ALL["edifact-coarri"]
ARRIVAL = ALL["edifact-cusrep"]
PASSENGERS = ALL["edifact-paxlst"]
BOOKINGS = ALL["edifact-pnrgov"]
CONTRACT = ALL["edifact-iftmcs"]
LOADING_ORDER = ALL["edifact-coprar"]
STATUS = ALL["edifact-iftsta"]
