"""Training of an adaptive filter behind the Decoder, after LACE and NoLACE (Büthe et al., 2023 and
2024): a comb filter and band gains that a network sets. It is an experiment and not shipped."""
