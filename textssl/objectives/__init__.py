"""What can be trained: one file, one class, one name of `textssl train` each."""
