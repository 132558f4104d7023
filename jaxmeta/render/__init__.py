"""Pictures and reports. Host code on NumPy arrays."""

from ._errors import PictureError as PictureError
from ._history import history_plot as history_plot
from ._library import contact_sheet as contact_sheet
from ._library import property_space as property_space
from ._mesh import Mesh as Mesh
from ._mesh import cell_mesh as cell_mesh
from ._modulus import modulus_mesh as modulus_mesh
from ._modulus import modulus_surface as modulus_surface
from ._modulus import young_moduli as young_moduli
from ._picture import draw_cells as draw_cells
from ._picture import picture_of_cell as picture_of_cell
from ._report import write_report as write_report
