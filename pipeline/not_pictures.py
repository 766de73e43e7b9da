"""Names of files that are clearly no pictures. The loader, `tag` and uploads skip them alike."""

from __future__ import annotations

FOLDER = "folder"  # the name under which markers of folders are counted: keys that end in a slash
SYSTEM_FILE = "system file"  # what macOS leaves beside photos: .DS_Store, and ._NAME with the rest of NAME

# Every other ending is sent, known or not, since tagging goes by the bytes. So is an object of any size, since the
# record of a rejection (`empty`, `bytes`) is what tells its owner.
_ENDINGS = """
    .avro .cfg .conf .csv .doc .docx .eml .epub .ini .json .jsonl .log .md .numbers .odp .ods .odt .orc .pages
    .parquet .pdf .ppt .pptx .rtf .toml .tsv .txt .xls .xlsx .xml .yaml .yml
    .bak .css .db .exe .htm .html .jar .java .js .key .lock .map .mdb .otf .pem .php .pkl .py .sh .sql .sqlite .ts
    .ttf .wasm .woff .woff2
    .aac .avi .flac .m4a .m4v .mkv .mov .mp3 .mp4 .mpeg .mpg .ogg .ogv .srt .vtt .wav .webm .wmv
    .7z .bz2 .gz .rar .tar .tgz .xz .zip .zst
"""
# Lists and notes that lie beside photos. A folder's other files are read, whatever they are, and get a verdict.
_BESIDE_PHOTOS = frozenset(
    {".csv", ".tsv", ".txt", ".md", ".log", ".ini", ".json", ".jsonl", ".parquet", ".toml", ".xml", ".yaml", ".yml"}
    | {".db", ".doc", ".docx", ".ods", ".xls", ".xlsx"}
)
# DECISIONS.md, 8: an allow-list of endings would lose photos that are named without one.
NOT_PICTURES = frozenset(_ENDINGS.split())


def skip_reason(name: str) -> str | None:
    """Return why a file or object of this name is never tagged (``folder``, ``system file``, its ending), or None."""
    if name.endswith("/"):
        return FOLDER
    base = name.rsplit("/", 1)[-1]
    if base == ".DS_Store" or base.startswith("._"):
        return SYSTEM_FILE
    # Not by pathlib, which keeps something of every name it has ever seen.
    stem, _, suffix = base.rpartition(".")
    ending = f".{suffix.lower()}" if stem else ""
    return ending if ending in NOT_PICTURES else None


def lies_beside_photos(name: str) -> bool:
    """Return whether a file of this name in a folder of photos is a list, a note or a system file, and no photo."""
    reason = skip_reason(name)
    return reason == SYSTEM_FILE or reason in _BESIDE_PHOTOS
