"""From the bytes of a .nac file to samples, step by step; mirrors `nacli.encoder.stream`."""
