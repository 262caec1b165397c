"""Fused forms of the losses that are hot: word2vec on the CPU."""
