"""Matrix-free finite elements on voxel grids: one element kernel, boundary maps, grid transfers, preconditioners."""

from ._boundary import Block as Block
from ._boundary import Boundary as Boundary
from ._boundary import Kind as Kind
from ._boundary import Periodic as Periodic
from ._boundary import Shared as Shared
from ._boundary import by_blocks as by_blocks
from ._boundary import octant as octant
from ._corners import element_matrices as element_matrices
from ._fft import JacobiFFT as JacobiFFT
from ._fields import CubicField as CubicField
from ._fields import GeneralField as GeneralField
from ._fields import IsotropicField as IsotropicField
from ._fields import MaterialField as MaterialField
from ._gram import mutual_energies as mutual_energies
from ._interpolation import RAMP as RAMP
from ._interpolation import SIMP as SIMP
from ._interpolation import Interpolation as Interpolation
from ._medium import Mixture as Mixture
from ._medium import checked_medium as checked_medium
from ._medium import material_field as material_field
from ._medium import per_voxel as per_voxel
from ._multigrid import Multigrid as Multigrid
from ._operator import Stiffness as Stiffness
from ._solve import BlockSolution as BlockSolution
from ._solve import Face as Face
from ._solve import solve as solve
