"""Images: the set that is learnt from, and the random views of it."""
