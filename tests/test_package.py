"""The package's front door: lazy names."""

import pytest

import textssl


def test_public_names_are_listed():
    assert {"train", "Embeddings", "load", "__version__"} <= set(dir(textssl))
    assert set(textssl.__all__) == {"__version__", *textssl._PLACES}


@pytest.mark.parametrize("name", textssl._PLACES)
def test_public_names_are_there(name):
    assert callable(getattr(textssl, name))


def test_errors_are_reached_from_the_package():
    from textssl.errors import TextsslError

    assert textssl.TextsslError is TextsslError


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'textssl' has no attribute 'trian'"):
        textssl.trian  # noqa: B018
