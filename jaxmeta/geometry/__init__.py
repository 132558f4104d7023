"""Start fields, symmetry, connectivity and surfaces of periodic voxel cells.

Fields and symmetry are pure functions of arrays, keys and static shapes. Labelling, clean-up and surfaces look at the
values of a binary cell and run on the host.
"""

from . import symmetry as symmetry
from ._bodies import PLATE_FAMILIES as PLATE_FAMILIES
from ._bodies import laminate as laminate
from ._bodies import lattice_struts as lattice_struts
from ._bodies import plates as plates
from ._bodies import sphere as sphere
from ._bodies import superellipsoid_hole as superellipsoid_hole
from ._connectivity import Parts as Parts
from ._connectivity import is_connected as is_connected
from ._connectivity import keep_largest as keep_largest
from ._connectivity import label as label
from ._connectivity import parts as parts
from ._connectivity import percolates as percolates
from ._faces import LARGER as LARGER
from ._faces import SMALLER as SMALLER
from ._faces import faces_fit as faces_fit
from ._members import Cleaned as Cleaned
from ._members import Hinges as Hinges
from ._members import clean as clean
from ._members import count_hinges as count_hinges
from ._members import has_hinges as has_hinges
from ._members import minimum_member as minimum_member
from ._members import thinnest_member as thinnest_member
from ._pores import Opened as Opened
from ._pores import open_pores as open_pores
from ._shells import SurfaceError as SurfaceError
from ._shells import is_closed as is_closed
from ._smooth import smooth_surface as smooth_surface
from ._smooth import smooth_triangles as smooth_triangles
from ._starts import random_field as random_field
from ._starts import squash as squash
from ._starts import threshold as threshold
from ._starts import trigonometric as trigonometric
from ._surfaces import surface as surface
from ._surfaces import surface_area as surface_area
from ._surfaces import volume as volume
from ._surfaces import voxel_surface as voxel_surface
from ._thicken import thicken as thicken
from ._tpms import TPMS_MIRROR_NAMES as TPMS_MIRROR_NAMES
from ._tpms import TPMS_NAMES as TPMS_NAMES
from ._tpms import tpms as tpms
from ._tpms import tpms_field as tpms_field
from ._voxelize import voxelize as voxelize
