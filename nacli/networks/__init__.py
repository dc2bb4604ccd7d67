"""The frozen networks of a checkpoint as the rest of nacli sees them: NumPy in, NumPy out.

There are two engines. The one here runs the common configurations with NumPy alone and is the
default, since it starts at once. `nacli.model` holds the same networks in torch: it runs every
configuration, and it is what training, export and the tests' reference use.
"""

from nacli.networks.choice import ENGINES, Networks, load_networks, runs_in_numpy

__all__ = ["ENGINES", "Networks", "load_networks", "runs_in_numpy"]
