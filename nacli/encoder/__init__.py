"""From samples to the bytes of a .nac file, step by step; mirrors `nacli.decoder`.

`stream` has the Encoder. `packet_source` takes samples through `analyzer` (with `pre_processing`)
and searches codes ahead; `packet_writer` fits packets to the bitrate (`rate_control`) and counts
what is written. `packet_encoder` chooses a packet's codes: `candidates`, `code_search`,
`envelope_coder` with its `local_decoder`, and `rate_loop`.
"""
