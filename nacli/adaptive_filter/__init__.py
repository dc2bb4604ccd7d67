"""The adaptive filter, the last stage of the decoder, in NumPy: a network sets a comb filter and
band gains for each window of decoded sound. It takes no bits.

`sizes` are what the filter's trained weights depend on; `network` holds the weights; `inputs` are
what the network sees; `windows` filters windows, and `contrast` sharpens their spectra;
`stage` runs all of it on the channels of a stream. `training/adaptive_filter/` trains the filter
and has its reference in the tests.
"""

from nacli.adaptive_filter.network import FilterNetwork
from nacli.adaptive_filter.sizes import DELAY
from nacli.adaptive_filter.stage import AdaptiveFilter, context

__all__ = ["DELAY", "AdaptiveFilter", "FilterNetwork", "context"]
