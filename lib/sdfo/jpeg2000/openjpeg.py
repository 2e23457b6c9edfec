"""OpenJPEG through glymur's low-level binding: signed integers of any precision to a codestream with layers by bit-planes.

imagecodecs writes one layer of 8 or 16 bits, and glymur's own writer no signed data; the library beneath both can do more.
"""

from __future__ import annotations

import ctypes
import importlib.util
import site
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from ctypes.util import find_library
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from packaging.version import InvalidVersion, Version

from sdfo.errors import CodecError, SettingsError
from sdfo.jpeg2000 import codestream
from sdfo.jpeg2000.image import Planes

OLDEST = Version("2.5")
WHEELS = ("imagecodecs", "pillow")
"""Packages that bring the library, the first one first: imagecodecs decodes with its own."""
J2K, GRAY, UNSPECIFIED = 0, 2, 0
"""OPJ_CODEC_J2K, OPJ_CLRSPC_GRAY, OPJ_CLRSPC_UNSPECIFIED of openjpeg.h."""
BLOCK = 64
"""Rows and columns of a code-block."""
STEPS = 16
"""OpenJPEG's fixed allocation counts sixteenths of the precision."""

_WRITE = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
_FAILED = ctypes.c_size_t(-1).value
_patching = threading.Lock()


@dataclass(frozen=True, slots=True)
class Layout:
    """`precision`: bits of the largest coefficient. `layers`: how many of the highest bit-planes each layer completes, the
    last one all of them."""

    precision: int
    levels: int
    layers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Library:
    """A loaded OpenJPEG. `binding` is a copy of glymur.lib.openjp2 of our own."""

    path: str
    version: str
    binding: Any


def encode(planes: Planes, layout: Layout) -> bytes:
    """A reversible codestream of one tile, without component transformation; packets by layer."""
    return _encode(library().binding, planes, layout)


def _encode(binding: Any, planes: Planes, layout: Layout) -> bytes:
    openjp2 = binding.OPENJP2
    allocation = _allocation(layout)
    parameters = _parameters(binding, layout, allocation)
    written = bytearray()
    sink = _WRITE(lambda data, count, _: _append(written, data, count))
    with ExitStack() as owned:
        image = _image(binding, planes, layout.precision)
        owned.callback(binding.image_destroy, image)
        codec = _made(binding.create_compress(J2K))
        owned.callback(binding.destroy_codec, codec)
        stream = _made(openjp2.opj_stream_create(planes.nbytes + 4096, 0))
        owned.callback(binding.stream_destroy, stream)
        openjp2.opj_stream_set_write_function(stream, sink)
        try:
            binding.setup_encoder(codec, parameters, image)
            binding.start_compress(codec, image, stream)
            binding.encode(codec, stream)
            binding.end_compress(codec, stream)
        except OSError as error:
            raise CodecError("OpenJPEG cannot encode an image") from error
    return bytes(written)


def _append(written: bytearray, data: int, count: int) -> int:
    """OpenJPEG's callback. An exception would be printed and lost."""
    try:
        written += ctypes.string_at(data, count)
    except MemoryError:
        return _FAILED
    return count


def _made(handle: int | None) -> int:
    if handle is None:
        raise MemoryError("OpenJPEG got no memory")
    return handle


def _allocation(layout: Layout) -> Any:
    """For each layer, resolution and band: sixteenths of the precision, the fewest that hold its planes (OpenJPEG reckons
    back in single precision)."""
    sixteenth = np.float32(layout.precision / STEPS)
    reached = (np.arange(STEPS + 1, dtype=np.float32) * sixteenth).astype(int)
    steps = [int(np.searchsorted(reached, planes)) for planes in layout.layers]
    each = 3 * (layout.levels + 1)
    return (ctypes.c_int * (len(steps) * each))(*np.repeat(steps, each).tolist())


def _parameters(binding: Any, layout: Layout, allocation: Any) -> Any:
    parameters = binding.set_default_encoder_parameters()
    parameters.tcp_numlayers = len(layout.layers)
    parameters.cp_fixed_alloc = 1
    parameters.cp_matrice = ctypes.addressof(allocation)
    parameters.numresolution = layout.levels + 1
    parameters.cblockw_init = parameters.cblockh_init = BLOCK
    parameters.tcp_mct = 0
    return parameters


def _image(binding: Any, planes: Planes, precision: int) -> Any:
    count, rows, columns = planes.shape
    shapes = (binding.ImageComptParmType * count)()
    for shape in shapes:
        shape.dx = shape.dy = 1
        shape.w, shape.h = columns, rows
        shape.prec = shape.bpp = precision
        shape.sgnd = 1
    image = binding.image_create(shapes, GRAY if count == 1 else UNSPECIFIED)
    if not image:
        raise MemoryError("OpenJPEG got no memory")
    image.contents.x1, image.contents.y1 = columns, rows
    for number, plane in enumerate(np.ascontiguousarray(planes)):
        ctypes.memmove(image.contents.comps[number].data, plane.ctypes.data, plane.nbytes)
    return image


@cache
def library() -> Library:
    """The first OpenJPEG that works. `SettingsError` if none does."""
    found = []
    for path in _candidates():
        try:
            loaded = _load(path)
            fit = Version(loaded.version) >= OLDEST and _works(loaded)
        except (OSError, AttributeError, InvalidVersion, CodecError):
            fit = False
        if fit:
            return loaded
        found.append(path)
    raise SettingsError(
        "no OpenJPEG library",
        expected=f"{OLDEST} or later that writes layers",
        found=", ".join(found) or "none",
        next_command="pip install imagecodecs, or apt-get install libopenjp2-7",
    )


def _candidates() -> Iterator[str]:
    """What the wheels bring, then what the system has."""
    for wheel in WHEELS:
        for folder in dict.fromkeys([*site.getsitepackages(), *sys.path]):
            yield from sorted(str(path) for path in Path(folder, f"{wheel}.libs").glob("libopenjp2*.so*"))
    system = find_library("openjp2")
    if system is not None:
        yield system


def _load(path: str) -> Library:
    """glymur asks its settings for the library while it is imported, and keeps one for the whole process. So its module is
    executed once more, under no name, with the answer given; the settings and the user's own glymur stay as they are."""
    ctypes.CDLL(path).opj_version  # noqa: B018, AttributeError if it is something else
    import glymur.config

    spec = importlib.util.find_spec("glymur.lib.openjp2")
    if spec is None or spec.loader is None:
        raise OSError("glymur has no binding")
    binding = importlib.util.module_from_spec(spec)
    with _patching:
        asked = glymur.config.read_config_file
        glymur.config.read_config_file = lambda _: path
        try:
            spec.loader.exec_module(binding)
        finally:
            glymur.config.read_config_file = asked
    _declare(binding)
    return Library(path, binding.version(), binding)


def _works(found: Library) -> bool:
    """Whether a small image of 20 bits comes out as a codestream of two layers: structures lie as glymur has them."""
    planes = np.arange(-32, 32, dtype=np.int32).reshape(1, 8, 8) << 13
    header = codestream.read(_encode(found.binding, planes, Layout(20, 1, (10, 20))))
    return header.coding.layers == 2 and header.size.components == ((20, True),) and header.size.rows == 8


def _declare(binding: ModuleType) -> None:
    """The functions that glymur does not bind."""
    openjp2 = binding.OPENJP2
    openjp2.opj_stream_create.restype = ctypes.c_void_p
    openjp2.opj_stream_create.argtypes = [ctypes.c_size_t, ctypes.c_int32]
    openjp2.opj_stream_set_write_function.restype = None
    openjp2.opj_stream_set_write_function.argtypes = [ctypes.c_void_p, _WRITE]
