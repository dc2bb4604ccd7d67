"""Training of the adaptive filter behind the Decoder, after LACE and NoLACE (Büthe et al., 2023 and
2024): a comb filter and band gains that a network sets.

`chain` records what the filter gets in the decoder of a checkpoint; `cache` stores segments of it,
from which `segments` draws batches; `adaptive_filter` is the filter in torch; `decoder_chain` is
the Decoder before it in torch, for a training of both; `trainer` and `run` train them; `evaluation`
measures them; `attach` puts them into a checkpoint.
"""
