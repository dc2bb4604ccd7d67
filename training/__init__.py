"""Training of the model that nacli ships: corpus, losses, discriminators, loops and recipes.

The product never imports this package; `tests/structure/test_training_apart.py` checks that.
"""
