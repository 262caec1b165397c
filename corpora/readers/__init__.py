"""Reading corpora from files: one file of this folder per kind of file, `files` to open them all."""
