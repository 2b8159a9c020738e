"""Figures: the consumer that folds what commits add, and their rebuild from the records."""
