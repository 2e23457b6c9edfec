"""One table says which scheme is served by which class."""

from __future__ import annotations

from importlib import import_module

import pytest

from sdfo.errors import SettingsError
from sdfo.stores import SCHEMES, Store, open_store
from sdfo.stores.local import LocalStore


def test_a_file_url() -> None:
    """Opens nothing: the folder need not be there."""
    store = open_store("file:///no/such/folder")
    assert isinstance(store, LocalStore)
    assert str(store.root) == "/no/such/folder"
    assert store.url == "file:///no/such/folder"


def test_a_file_url_of_this_host() -> None:
    assert open_store("file://localhost/folder").url == "file:///folder"


@pytest.mark.parametrize("url", ["ftp://host/folder", "/folder", "folder", "", "FILES:///x"])
def test_a_scheme_that_nothing_serves(url: str) -> None:
    """Says what is served."""
    with pytest.raises(SettingsError) as refused:
        open_store(url)
    assert refused.value.expected == " | ".join(SCHEMES)


def test_a_file_url_with_a_host() -> None:
    """`file://folder/x` would quietly be `/x`."""
    with pytest.raises(SettingsError):
        open_store("file://folder/x")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_entry_is_a_store(scheme: str) -> None:
    """Module and class exist."""
    module, _, name = SCHEMES[scheme].partition(":")
    assert issubclass(getattr(import_module(module), name), Store)
