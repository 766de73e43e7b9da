"""File names that clearly are not pictures; the loader, `tag` and uploads all skip them."""

from __future__ import annotations

FOLDER = "folder"  # how folder markers are counted: keys that end in a slash
SYSTEM_FILE = "system file"  # what macOS leaves beside photos: .DS_Store, and ._NAME with the rest of NAME

# Every other extension is sent, known or not, because tagging looks at the bytes. Objects of any size are sent too,
# because the recorded rejection (`empty`, `bytes`) tells their owner.
_ENDINGS = """
    .avro .cfg .conf .csv .doc .docx .eml .epub .ini .json .jsonl .log .md .numbers .odp .ods .odt .orc .pages
    .parquet .pdf .ppt .pptx .rtf .toml .tsv .txt .xls .xlsx .xml .yaml .yml
    .bak .css .db .exe .htm .html .jar .java .js .key .lock .map .mdb .otf .pem .php .pkl .py .sh .sql .sqlite .ts
    .ttf .wasm .woff .woff2
    .aac .avi .flac .m4a .m4v .mkv .mov .mp3 .mp4 .mpeg .mpg .ogg .ogv .srt .vtt .wav .webm .wmv
    .7z .bz2 .gz .rar .tar .tgz .xz .zip .zst
"""
# Lists and notes that people keep beside photos. Every other file of a folder is read, and gets a result.
_BESIDE_PHOTOS = frozenset(
    {".csv", ".tsv", ".txt", ".md", ".log", ".ini", ".json", ".jsonl", ".parquet", ".toml", ".xml", ".yaml", ".yml"}
    | {".db", ".doc", ".docx", ".ods", ".xls", ".xlsx"}
)
# Not an allow-list, which would lose photos that are named without an extension (DECISIONS.md, 8).
NOT_PICTURES = frozenset(_ENDINGS.split())


def skip_reason(name: str) -> str | None:
    """Return why a file or object of this name is never tagged (``folder``, ``system file``, its ending), or None."""
    if name.endswith("/"):
        return FOLDER
    base = name.rsplit("/", 1)[-1]
    if base == ".DS_Store" or base.startswith("._"):
        return SYSTEM_FILE
    # Not by pathlib, which interns the parts of every name and would grow with the catalogue.
    stem, _, suffix = base.rpartition(".")
    ending = f".{suffix.lower()}" if stem else ""
    return ending if ending in NOT_PICTURES else None


def lies_beside_photos(name: str) -> bool:
    """Return whether a file of this name in a folder of photos is a list, a note or a system file, not a photo."""
    reason = skip_reason(name)
    return reason == SYSTEM_FILE or reason in _BESIDE_PHOTOS
