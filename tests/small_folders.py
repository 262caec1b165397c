"""What tests commit: a folder of two files."""

def writer(content=b"new content", name="a.bin"):
    def write(folder):
        with (folder / name).open("wb", buffering=0) as file:
            file.write(content)
        (folder / "deep").mkdir()
        (folder / "deep" / "b.txt").write_text("b")

    return write
