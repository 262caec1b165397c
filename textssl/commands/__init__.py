"""The commands: one file each, whose public function of the file's name is both the command and the Python call."""
