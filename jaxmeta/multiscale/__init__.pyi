from ._space import PropertySpace as PropertySpace
from ._space import property_space as property_space
from ._structure import Response as Response
from ._structure import Structure as Structure
from ._structure import distortion as distortion
