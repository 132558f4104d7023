"""A library of cubic microstructures: its file, reading it, and the cells nearest to a wanted stiffness."""

from ._batches import Batch as Batch
from ._batches import Batches as Batches
from ._library import Library as Library
from ._library import Record as Record
from ._library import load as load
from ._nearest import Neighbours as Neighbours
from ._nearest import nearest as nearest
