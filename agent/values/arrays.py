"""Names for the arrays that flow through the pipeline."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
F32: TypeAlias = npt.NDArray[np.float32]
U8: TypeAlias = npt.NDArray[np.uint8]

BgrImage: TypeAlias = npt.NDArray[np.uint8]
"""(height, width, 3), uint8, blue-green-red."""
Boxes: TypeAlias = npt.NDArray[np.float32]
"""(n, 4), float32: left, top, right, bottom in pixels of the frame."""
Landmarks: TypeAlias = npt.NDArray[np.float32]
"""(n, 5, 2), float32: right eye, left eye, nose tip, right and left mouth corner (the subject's
own right and left), x and y in pixels of the frame."""
Crops: TypeAlias = npt.NDArray[np.uint8]
"""(n, 112, 112, 3), uint8 BGR: faces aligned to the embedder's template."""
Vectors: TypeAlias = npt.NDArray[np.float32]
"""(n, dim), float32, rows of unit length."""
