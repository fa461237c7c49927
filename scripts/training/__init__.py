"""Trains the weights of `routing/classify/`: rows → columns → heads → `config/data/classifier.bin`. Needs numpy and scipy."""
