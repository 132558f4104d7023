"""Runs that last: what a run was given, and the state to go on from. It knows nothing of what is run."""

from ._checkpoint import Checkpoint as Checkpoint
from ._digest import digest as digest
from ._digest import function_digest as function_digest
