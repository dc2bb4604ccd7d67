"""Names for the types of arrays that the parts of nacli exchange.

Docstrings state shapes with these letters: T samples, C channels, F frames (latent time steps of
1/75 s), D latent dimensions, N quantiser stages, S spans of frames.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
"""Samples, latents, energies: all signal processing is in single precision."""
Doubles = NDArray[np.float64]
"""Sums for which single precision is too coarse."""
Integers = NDArray[np.int32]
"""Codes, gain indices, stage counts, quantised levels."""
Indices = NDArray[np.intp]
"""Positions in other arrays."""
Complex = NDArray[np.complex64]
"""Short-time spectra."""
Pcm = Floats
"""Samples [T, C] with full scale +-1."""
