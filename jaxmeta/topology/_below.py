"""What a design run takes from the rooms below, for whoever looks for it here."""

from ..design import Continuation as Continuation
from ..design import DesignResult as DesignResult
from ..optimizers import GCMMA as GCMMA
from ..optimizers import MMA as MMA
from ..optimizers import OC as OC
