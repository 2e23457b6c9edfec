"""Tag trees and the bits of packet headers (ISO 15444-1 clauses B.10.1 and B.10.2)."""

from __future__ import annotations

from sdfo.errors import CodecError

UNKNOWN = 1 << 30


class BitReader:
    """Bits from `offset` on; after a byte 0xFF comes one of seven bits."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data, self._offset = data, offset
        self._held, self._count, self._last = 0, 0, 0

    def take(self, count: int) -> int:
        while self._count < count:
            self._more()
        self._count -= count
        value = self._held >> self._count
        self._held &= (1 << self._count) - 1
        return value

    def ones(self, most: int) -> int:
        """How many ones come before a zero, no more than `most`; with `most` of them there is no zero."""
        count = 0
        while count < most and self.take(1):
            count += 1
        return count

    def zeros(self, most: int) -> int:
        """How many zeros come before a one. `CodecError` if more than `most`."""
        zeros = 0
        while not self._held:
            zeros, self._count = zeros + self._count, 0
            if zeros > most:
                raise CodecError("a number in a packet header has no end", offset=self._offset)
            self._more()
        rest = self._held.bit_length() - 1
        zeros, self._count = zeros + self._count - rest - 1, rest
        self._held &= (1 << rest) - 1
        return zeros

    def _more(self) -> None:
        """One byte."""
        if self._offset >= len(self._data):
            raise CodecError("a packet header ends too soon", offset=self._offset)
        fresh = 7 if self._last == 0xFF else 8
        self._last = self._data[self._offset]
        self._offset += 1
        self._held = self._held << fresh | self._last
        self._count += fresh

    def end(self) -> int:
        """The offset of the first byte that is no header's."""
        return self._offset + (self._last == 0xFF)


class BitWriter:
    def __init__(self) -> None:
        self._bits: list[str] = []

    def put(self, value: int, count: int) -> None:
        self._bits.append(f"{value:0{count}b}")

    def bytes(self) -> bytes:
        bits, packed, offset = "".join(self._bits), bytearray(), 0
        while offset < len(bits):
            fresh = 7 if packed and packed[-1] == 0xFF else 8
            packed.append(int(bits[offset : offset + fresh].ljust(fresh, "0"), 2))
            offset += fresh
        return bytes(packed) + (b"\0" if packed[-1] == 0xFF else b"")


class TagTree:
    """Numbers of code-blocks in `rows` and `columns`, each told only as far as it is asked for."""

    def __init__(self, rows: int, columns: int, values: list[int] | None = None) -> None:
        self._parents: list[int] = []
        while True:
            above = len(self._parents) + rows * columns
            half = (columns + 1) // 2
            if rows * columns == 1:
                self._parents.append(-1)
                break
            self._parents += [above + row // 2 * half + column // 2 for row in range(rows) for column in range(columns)]
            rows, columns = (rows + 1) // 2, half
        nodes = len(self._parents)
        self._low, self._said = [0] * nodes, [False] * nodes
        self._values = [UNKNOWN] * nodes
        self._paths: dict[int, list[int]] = {}
        for leaf, value in enumerate(values or ()):
            self._set(leaf, value)

    def read(self, bits: BitReader, leaf: int, below: int) -> bool:
        """Whether the leaf's value is below."""
        low = 0
        for node in self._path(leaf):
            low = max(low, self._low[node])
            while low < below and low < self._values[node]:
                if bits.take(1):
                    self._values[node] = low
                else:
                    low += 1
            self._low[node] = low
        return self._values[leaf] < below

    def read_value(self, bits: BitReader, leaf: int, most: int) -> int:
        """The leaf's value, as if it had been asked for step by step. `CodecError` if it is more than `most`."""
        low = 0
        for node in self._path(leaf):
            if self._values[node] == UNKNOWN:
                low += bits.zeros(most)
                self._values[node] = low
            low = self._values[node]
        return low

    def write(self, bits: BitWriter, leaf: int, below: int) -> None:
        """Tell whether the leaf's value is below."""
        low = 0
        for node in self._path(leaf):
            low = max(low, self._low[node])
            if self._said[node]:
                continue
            until = min(below, self._values[node])
            if low < until:
                bits.put(0, until - low)
                low = until
            if self._values[node] < below:
                bits.put(1, 1)
                self._said[node] = True
            self._low[node] = low

    def write_value(self, bits: BitWriter, leaf: int) -> None:
        """Tell the leaf's value."""
        low = 0
        for node in self._path(leaf):
            if not self._said[node]:
                bits.put(1, self._values[node] - low + 1)
                self._said[node] = True
            low = self._values[node]

    def _path(self, leaf: int) -> list[int]:
        """From the root down."""
        known = self._paths.get(leaf)
        if known is None:
            known = [leaf]
            while (parent := self._parents[known[-1]]) >= 0:
                known.append(parent)
            known.reverse()
            self._paths[leaf] = known
        return known

    def _set(self, leaf: int, value: int) -> None:
        """A node has the least value of those beneath it."""
        node = leaf
        while node >= 0 and self._values[node] > value:
            self._values[node] = value
            node = self._parents[node]
