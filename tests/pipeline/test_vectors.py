"""What a feature vector keeps of a model's features, and how it rests."""

import numpy as np
import pytest

from pipeline.errors import CallerError
from pipeline.vectors import FeatureVector, stack

SPACE = "0123456789ab"


def a_vector(seed=1, space=SPACE, dimensions=256):
    return FeatureVector.of(space, np.random.default_rng(seed).normal(size=dimensions).astype(np.float32))


def test_a_vector_rests_in_ten_bytes_more_than_its_dimensions_and_comes_back_the_same():
    vector = a_vector()
    assert len(vector.pack()) == len(vector) + 10
    assert FeatureVector.unpack(vector.pack()) == vector


def test_the_array_has_length_one_and_points_where_the_features_point():
    values = np.random.default_rng(2).normal(size=256).astype(np.float32)
    array = FeatureVector.of(SPACE, values).to_array()
    assert np.linalg.norm(array) == pytest.approx(1)
    assert array @ values / np.linalg.norm(values) > 0.9999


def test_features_that_are_all_zero_are_a_vector_of_zeros():
    vector = FeatureVector.of(SPACE, np.zeros(4, np.float32))
    assert vector.to_array().tolist() == [0, 0, 0, 0]


def test_vectors_of_one_space_stack_to_an_array():
    assert stack([a_vector(1), a_vector(2)]).shape == (2, 256)
    assert stack([]).shape == (0, 0)


def test_vectors_of_two_spaces_cannot_be_compared():
    with pytest.raises(CallerError, match="2 models"):
        stack([a_vector(), a_vector(space="ba9876543210")])
