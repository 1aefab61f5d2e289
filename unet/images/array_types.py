"""Names of the arrays that several rooms speak of, by what they hold; and the class of pixels that nobody judged."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.integer[Any]]
"""Ids of objects, 0 = background."""
Ids = NDArray[np.int32]
"""Ids that count from 1 within one block, or labels renamed so that they fit; 0 = background."""
Mask = NDArray[np.bool_]
"""Whether something holds, of each pixel or of each row of a table."""
Indices = NDArray[np.int64]
"""Places in a raster or in a table, and numbers of pixels."""
Floats = NDArray[np.float32]
"""Distances and weights, as they are stored."""

IGNORE = 255
"""Class of pixels that nobody judged, and training does not see."""
