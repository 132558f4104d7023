"""Files: densities in, results out. Host code on NumPy arrays; readers do not trust what they read."""

from ._atomic import atomic_path as atomic_path
from ._atomic import together as together
from ._atomic import write_bytes as write_bytes
from ._errors import FileError as FileError
from ._errors import Path as Path
from ._errors import brief as brief
from ._errors import file_error as file_error
from ._errors import system_text as system_text
from ._hdf5_write import write_h5 as write_h5
from ._json import to_json as to_json
from ._json import write_json as write_json
from ._npz_write import write_arrays as write_arrays
from ._npz_write import write_npz as write_npz
from ._open import open_binary as open_binary
from ._orders import from_abaqus as from_abaqus
from ._orders import from_vtk as from_vtk
from ._orders import to_abaqus as to_abaqus
from ._orders import to_vtk as to_vtk
from ._stl_write import write_stl as write_stl
from ._surface import surface as surface
from ._voxels import VoxelFile as VoxelFile
from ._voxels import read_density as read_density
from ._voxels import read_stiffness as read_stiffness
from ._vti_write import write_vti as write_vti
