"""Matrix-free finite elements on voxel grids: one element kernel, boundary maps, grid transfers, preconditioners."""

from ._boundary import Block as Block
from ._boundary import Boundary as Boundary
from ._boundary import Periodic as Periodic
from ._boundary import octant as octant
from ._fft import JacobiFFT as JacobiFFT
from ._gram import mutual_energies as mutual_energies
from ._materials import CubicField as CubicField
from ._materials import GeneralField as GeneralField
from ._materials import IsotropicField as IsotropicField
from ._materials import MaterialField as MaterialField
from ._multigrid import Multigrid as Multigrid
from ._operator import Stiffness as Stiffness
