"""A library of cubic microstructures: making one, its file, reading it, and the cells nearest to a wanted stiffness."""

from ..cells import Cell
from ._batches import Batch as Batch
from ._batches import Batches as Batches
from ._generate import Generation as Generation
from ._info import info as info
from ._library import Library as Library
from ._library import load as load
from ._make import generate as generate
from ._make import perturb as perturb
from ._make import refine as refine
from ._make import select as select
from ._nearest import Neighbours as Neighbours
from ._nearest import nearest as nearest
from ._perturb import Perturbation as Perturbation
from ._refine import Refinement as Refinement
from ._workers import WorkerError as WorkerError
from ._workers import Workers as Workers

Record = Cell
"""What a library gives for a number."""
