"""Signal processing of `nacli/dsp` and `nacli/envelope` that lets gradients through."""
