"""From samples to the bytes of a .nac file, step by step; mirrors `nacli.decoder.stream`."""
