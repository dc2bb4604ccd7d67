"""The learned encoder and decoder of a checkpoint: one definition, two engines.

`numpy_engine` runs the common configurations in NumPy and is the default; `torch_engine` runs all
configurations, on the CPU or a GPU, trains them, and is the reference in the tests. `engines`
chooses between them.
"""

from nacli.networks.engines import (
    DEVICES,
    ENGINES,
    Networks,
    choose_device,
    load_networks,
    runs_in_numpy,
)

__all__ = [
    "DEVICES",
    "ENGINES",
    "Networks",
    "choose_device",
    "load_networks",
    "runs_in_numpy",
]
