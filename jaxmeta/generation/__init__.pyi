from ._generate import Generated as Generated
from ._generate import generate as generate
