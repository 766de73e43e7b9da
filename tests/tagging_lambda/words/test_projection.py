"""The projection that ships, and one of our own."""

import numpy as np
import pytest

from pipeline.errors import BadModel
from pipeline.model_version import head_version_in
from tagging_lambda.words.heads import Head
from tagging_lambda.words.projection import PROJECTION_NAME, STARTER, Projection, rooted


@pytest.fixture
def projection():
    random = np.random.default_rng(1)
    return Projection.of("weights", np.zeros(64, np.float32), random.normal(size=(64, 8)).astype(np.float32))


def test_what_is_loaded_is_the_same_projection(projection, tmp_path):
    projection.save(tmp_path / PROJECTION_NAME)
    loaded = Projection.load(tmp_path / PROJECTION_NAME)
    features = np.random.default_rng(2).random(64, np.float32)
    assert loaded.vector(features) == projection.vector(features)
    assert loaded.space == projection.space


def test_how_busy_a_picture_is_does_not_change_its_vector(projection):
    features = np.random.default_rng(2).random(64, np.float32)
    twice = projection.vector(4 * features).to_array()
    assert np.allclose(twice, projection.vector(features).to_array(), atol=0.01)


def test_features_that_are_all_zero_have_roots():
    assert rooted(np.zeros(3, np.float32)).tolist() == [0, 0, 0]


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / PROJECTION_NAME).write_bytes(b"PK nothing")
    with pytest.raises(BadModel, match=PROJECTION_NAME):
        Projection.load(tmp_path / PROJECTION_NAME)


def test_the_head_that_ships_reads_the_vectors_of_the_projection_that_ships():
    head, projection = Head.load(STARTER), Projection.load(STARTER / PROJECTION_NAME)
    assert head.card.space == projection.space
    assert head.coefficients.shape[0] == projection.matrix.shape[1]
    assert all(source.licence and source.attribution for source in head.card.training)
    assert "packshots" not in {source.name for source in head.card.training}


def test_the_version_of_a_head_can_be_told_from_its_folder_alone():
    assert head_version_in(STARTER) == Head.load(STARTER).card.version
