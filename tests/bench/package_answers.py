"""Tags photos with the parts of the deployed tagging function, wherever it runs: started by ``check_arm``, as a file.

Its arguments are the file to write, a NumPy archive, and the photos.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from pipeline.keywords import Vocabulary
from tagging_lambda import lambda_tag
from tagging_lambda.image.picture import model_input
from tagging_lambda.words.class_keywords import strongest
from tagging_lambda.words.classes_and_heads import KeywordMapper


def main(out: str, *photos: str) -> None:
    """Write the class scores of each photo, float32 [N, classes], and its keywords, separated by spaces."""
    card = lambda_tag.classifier.card
    classes = [model_class.id for model_class in card.classes]
    mapper = KeywordMapper.of(Vocabulary.load(), classes, lambda_tag.heads)
    scores, keywords = [], []
    for photo in photos:
        picture = lambda_tag.reader.read(Path(photo).read_bytes())
        [answer] = lambda_tag.classifier.classify(model_input([picture], card.input))
        tags = mapper.keywords(strongest(answer.scores), answer.vector)
        scores.append(answer.scores)
        keywords.append(" ".join(tag.keyword_id for tag in tags))
    lambda_tag.reader.close()
    np.savez(out, scores=np.stack(scores), keywords=np.array(keywords))


if __name__ == "__main__":
    main(*sys.argv[1:])
