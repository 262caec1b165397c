"""Vector files of other programs: one file per format, base files shared by them."""
