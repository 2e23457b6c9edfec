"""Stores: bytes at paths. One table says which scheme is served by which class, imported only when asked for."""

from __future__ import annotations

from importlib import import_module
from os import fsdecode
from urllib.parse import unquote_to_bytes, urlsplit

from sdfo.conf import Hdfs
from sdfo.errors import SettingsError
from sdfo.stores.anew import anew
from sdfo.stores.base import CHUNK, Sink, Source, Stat, Store, checked

__all__ = ["CHUNK", "SCHEMES", "Sink", "Source", "Stat", "Store", "anew", "checked", "open_store"]

SCHEMES = {
    "file": "sdfo.stores.local:LocalStore",
    "hdfs": "sdfo.stores.hdfs:HdfsStore",
}
"""URL scheme → module:class. To add a store see docs/adding-a-store.md."""


def open_store(url: str, settings: Hdfs | None = None) -> Store:
    """The store at `url`; nothing is contacted yet. `settings`: deadlines and sizes, for a store that heeds them."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise SettingsError("no store serves this scheme", expected=" | ".join(SCHEMES), found=parts.scheme or url)
    if parts.scheme == "file" and parts.netloc not in ("", "localhost"):
        raise SettingsError("a file URL has three slashes and an absolute path", expected="file:///…", found=url)
    module, _, name = SCHEMES[parts.scheme].partition(":")
    arguments = (fsdecode(unquote_to_bytes(parts.path)),) if parts.scheme == "file" else (url, settings)
    store: Store = getattr(import_module(module), name)(*arguments)
    return store
