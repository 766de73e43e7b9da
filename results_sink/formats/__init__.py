"""Keywords in the formats of search engines, shops and feeds."""
