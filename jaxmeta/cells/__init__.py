"""Cells with their stiffness: cleaned, scored, described and written, wherever they come from."""

from ._cell import Cell as Cell
from ._clean import Cleaned as Cleaned
from ._clean import clean as clean
from ._facts import Facts as Facts
from ._score import Scorer as Scorer
