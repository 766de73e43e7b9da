"""Names of keywords in one language, and the JSON form of an image's keywords."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.colours import colour_id, colour_of, colour_words
from pipeline.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.colours import ColourShare
    from pipeline.keywords import KeywordTag, Vocabulary


@dataclass(frozen=True, slots=True)
class KeywordNames:
    """The names of a vocabulary's keywords in one language; a keyword that the vocabulary lacks is named by its id."""

    vocabulary: Vocabulary
    language: str = "en"

    @classmethod
    def in_language(cls, vocabulary: Vocabulary, language: str) -> KeywordNames:
        """Return the names in that language.

        Raises:
            CallerError: the vocabulary has no words in it.
        """
        if language not in vocabulary.languages:
            known = ", ".join(vocabulary.languages)
            raise CallerError(f"there are no words in the language {language!r}; choose one of {known}")
        return cls(vocabulary, language)

    def name(self, keyword_id: str) -> str:
        """Return the name of the keyword, or of the colour."""
        if colour := colour_of(keyword_id):
            return colour_words(colour).get(self.language, colour)
        return self.vocabulary.name_of(keyword_id, self.language)

    def documents(self, tags: Iterable[KeywordTag]) -> list[dict[str, Any]]:
        """Return the keywords of an image in the form of every JSON answer."""
        return [
            {"keyword": self.name(tag.keyword_id), "id": tag.keyword_id, "score": tag.score, "source": str(tag.source)}
            for tag in tags
        ]

    def colour_documents(self, colours: Iterable[ColourShare]) -> list[dict[str, Any]]:
        """Return the colours of an image as they stand in every JSON answer."""
        return [
            {
                "colour": self.name(colour_id(share.colour)),
                "id": colour_id(share.colour),
                "share": round(share.share, 4),
                "source": str(share.source),
            }
            for share in colours
        ]

    def line(self, tags: Sequence[KeywordTag]) -> str:
        """Return the keywords of an image on one line."""
        return ", ".join(f"{self.name(tag.keyword_id)} {tag.score:.2f}" for tag in tags) or "(no keyword)"
