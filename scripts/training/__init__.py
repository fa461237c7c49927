"""Trains the weights of `routing/classify/`: rows → columns → heads → `config/data/classifier.bin`. Needs numpy and scipy.

With an embedding model: rows → columns and vectors → heads → a file of heads (`config/static_embedding.py`). Needs model2vec, too."""
