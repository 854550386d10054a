"""Kinds of files that hold no price table, told by their first bytes."""

TABLE = "save or export the prices as CSV, Parquet or Feather"
UNPACK = "unpack it and give the files inside, or a zip or gz of them"

SIGNATURES = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook or another Office file", "open it and save the sheet as CSV"),
    (b"SQLite format 3\0", "a SQLite database", "export the table of prices as CSV"),
    (b"\x89PNG", "a PNG image", TABLE),
    (b"\xff\xd8\xff", "a JPEG image", TABLE),
    (b"GIF8", "a GIF image", TABLE),
    (b"%PDF", "a PDF document", TABLE),
    (b"\x7fELF", "a program", TABLE),
    (b"MZ\x90", "a program", TABLE),
    (b"\xcf\xfa\xed\xfe", "a program", TABLE),
    (b"\x89HDF", "an HDF5 file", "read it with pandas and save it with to_parquet"),
    (b"\x93NUMPY", "a NumPy array", TABLE),
    (b"\x80\x04\x95", "a Python pickle, which may run code when opened", "save the frame with to_parquet"),
    (b"\x80\x05\x95", "a Python pickle, which may run code when opened", "save the frame with to_parquet"),
    (b"FEA1", "a Feather file of version 1", "save it again with a current pandas or pyarrow"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!", "a RAR archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", UNPACK),
    (b"\xfd7zXZ", "an xz archive", UNPACK),
    (b"BZh", "a bzip2 archive", UNPACK),
    (b"\x1f\x8b", "a gzip archive", UNPACK),
    (b"PK\x03\x04", "a zip archive", UNPACK),
    (b"\x91\x01\0\0", "a MetaTrader history file (.hst)", "export it as CSV in the History Center"),
    (b"<!DOCTYPE", "a web page", "download the file itself; the page may tell why it was not given"),
    (b"<!doctype", "a web page", "download the file itself; the page may tell why it was not given"),
    (b"<html", "a web page", "download the file itself; the page may tell why it was not given"),
    (b"<?xml", "an XML document", TABLE),
    (b"{", "JSON", TABLE),
    (b"[", "JSON", TABLE),
)
TAR_MAGIC, TAR_OFFSET = b"ustar", 257


def kind_of(head: bytes) -> tuple[str, str] | None:
    """Return what a file is and what to do about it, where its first bytes tell that it is no text table."""
    for magic, kind, remedy in SIGNATURES:
        if head.startswith(magic):
            return kind, remedy
    if head[TAR_OFFSET:].startswith(TAR_MAGIC):
        return "a tar archive", UNPACK
    return None
