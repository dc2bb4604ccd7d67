"""Names for the arrays that pass between the parts of nacli.

Shapes are stated where arrays are taken and given, with these letters: T samples, C channels, F
frames (one latent time step, 1/75 s), D latent dimensions, N quantiser stages, S spans of frames.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
"""Samples, latents, energies: all signal processing is in single precision."""
Doubles = NDArray[np.float64]
"""Sums that single precision would round."""
Integers = NDArray[np.int32]
"""Codes, gain indices, stage counts, levels."""
Indices = NDArray[np.intp]
"""Positions in other arrays."""
Complex = NDArray[np.complex64]
"""Short-time spectra."""
Pcm = Floats
"""Samples [T, C] with full scale +-1."""
