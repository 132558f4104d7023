"""Matrix-free finite elements on voxel grids: one element kernel, boundary maps, grid transfers, preconditioners."""

from ._boundary import Block as Block
from ._boundary import Boundary as Boundary
from ._boundary import Periodic as Periodic
from ._boundary import Shared as Shared
from ._boundary import by_blocks as by_blocks
from ._boundary import octant as octant
from ._fft import JacobiFFT as JacobiFFT
from ._fields import CubicField as CubicField
from ._fields import GeneralField as GeneralField
from ._fields import IsotropicField as IsotropicField
from ._fields import MaterialField as MaterialField
from ._gram import mutual_energies as mutual_energies
from ._interpolation import RAMP as RAMP
from ._interpolation import SIMP as SIMP
from ._interpolation import Interpolation as Interpolation
from ._multigrid import Multigrid as Multigrid
from ._operator import Stiffness as Stiffness
from ._solve import BlockSolution as BlockSolution
from ._solve import solve as solve
