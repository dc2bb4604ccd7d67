"""Encoder and Decoder in NumPy, for the configurations that ship: no torch, and a quick start.

`weights` prepares a checkpoint's tensors for products of matrices, `layers`, `activations`,
`samples` and `gains` are the layers, `encoder` and `decoder` the two networks, and `engine` gives
them explicit state and blocks of fixed size.
"""
