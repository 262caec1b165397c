"""Objects of other libraries, made from ours and turned into ours."""
