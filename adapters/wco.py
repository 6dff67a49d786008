"""The translators of the WCO Data Model, for customs.

Owns the list of them. Never reads a document itself.
"""

from adapters.translator import Translator
from adapters.wco_dec import Declarations
from adapters.wco_movement import Movements
from adapters.wco_res import Responses

TRANSLATORS: tuple[Translator, ...] = (Declarations(), Responses(), Movements())
