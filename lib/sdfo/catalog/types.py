"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, LargeBinary, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

Key = BigInteger().with_variant(Integer(), "sqlite")
"""A number given by the database; SQLite gives them to INTEGER alone."""

LONGEST = 256
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class Words(TypeDecorator[str]):
    """Text, compared byte by byte on both databases, so that an index serves a prefix and order is the same everywhere.

    Queries pass here too, so what `keepable` changed on the way in is still found. `cut` False is for our own texts.
    """

    impl = Text
    cache_ok = True

    def __init__(self, *, cut: bool = True) -> None:
        super().__init__()
        self.cut = cut

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        text = Text(collation="C") if dialect.name == "postgresql" else Text()
        return dialect.type_descriptor(text)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return keepable(value) if value is not None and self.cut else value


def keepable(text: str) -> str:
    """What the catalog keeps of a text from a DICOM file: no NUL, which PostgreSQL refuses, no half surrogate pair, and no
    more characters than an index of two such columns takes (a UID has 64, a name 64 in each of three groups)."""
    if len(text) <= LONGEST and text.isascii() and "\0" not in text:
        return text
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\0", ""))[:LONGEST]


class Digest(TypeDecorator[str]):
    """SHA-256: hex to the program, 32 bytes on disk, because the catalog holds two for every image of ten years."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else value.hex()


class Moment(TypeDecorator[datetime]):
    """A point in time: aware and UTC to the program, whatever the session's zone; SQLite keeps it without one."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
