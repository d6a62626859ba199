"""All rules, in the order in which they are tried: what the sweep simplifies with."""

from .deltas import DELTAS
from .layout import LAYOUT
from .linear import LINEAR
from .movement import MOVEMENT
from .products import PRODUCTS
from .reductions import REDUCTIONS
from .regions import REGIONS
from .softmax import SOFTMAX

RULES = LAYOUT + SOFTMAX + REDUCTIONS + PRODUCTS + LINEAR + MOVEMENT + DELTAS + REGIONS
