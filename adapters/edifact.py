"""The UN/EDIFACT family: its translators, one a message type.

Owns their list. What they share stands in the modules `edifact_*`: characters and segments, envelopes, segment
groups, values; what codes mean, in the profile's family `edifact`.
"""

from adapters.edifact_acknowledge import ApplicationErrors
from adapters.edifact_cuscar import CargoReports, CarriageContracts
from adapters.edifact_cusdec import Declarations
from adapters.edifact_cusres import Responses
from adapters.edifact_movement import Conveyances, Gates, Orders, Reports
from adapters.edifact_persons import Bookings, PassengerLists
from adapters.edifact_status import Statuses
from adapters.translator import Translator

TRANSLATORS: tuple[Translator, ...] = (
    CargoReports(),
    Responses(),
    Declarations(),
    Conveyances(),
    CarriageContracts(),
    Orders(),
    Reports(),
    Gates(),
    Statuses(),
    PassengerLists(),
    Bookings(),
    ApplicationErrors(),
)
