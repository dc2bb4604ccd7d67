"""The Encoder and Decoder networks in NumPy, for the shipped configurations. They start
quickly, because torch is not imported.

`weights` checks and reads a checkpoint's tensors; `layers`, `activations`, `samples` and `gains`
are the layers; `encoder` and `decoder` are the two networks; `engine` runs them on channels of
streams, in blocks of a fixed size.
"""
