"""From the bytes of a .nac file to samples, step by step; mirrors `nacli.encoder`.

`stream` has the Decoder. `depacketizer` turns bytes into parts (packets with their codes, and gaps)
with `header_check`, `payload_reader` and `gaps`; `section` turns parts into samples with
`network_decoder`, `concealment`, `synthesis`, `post_processing` and `output`.
"""
