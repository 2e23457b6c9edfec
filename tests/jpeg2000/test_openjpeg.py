"""Which OpenJPEG is used, and how it is held."""

from __future__ import annotations

import threading
import time

import numpy as np
import psutil
import pytest

from sdfo.errors import CodecError, SettingsError
from sdfo.jpeg2000 import open_codec, openjpeg
from sdfo.jpeg2000.openjpeg import Layout
from sdfo.testing.images import disc, image


def test_the_wheels_library_is_used(tmp_path, monkeypatch):
    """imagecodecs' own; nothing is written to the home folder, and glymur keeps what it had."""
    import glymur.lib.openjp2

    before = glymur.lib.openjp2.OPENJP2
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    openjpeg.library.cache_clear()
    found = openjpeg.library()
    assert "imagecodecs.libs" in found.path
    assert found.version.startswith("2.5")
    assert list(tmp_path.iterdir()) == []
    assert glymur.lib.openjp2.OPENJP2 is before


@pytest.mark.parametrize("candidates", [[], ["/nowhere/libopenjp2.so"], ["libc.so.6"]], ids=["none", "gone", "another"])
def test_no_library(monkeypatch, candidates):
    """The error says what to install, and what was looked at."""
    monkeypatch.setattr(openjpeg, "_candidates", lambda: iter(candidates))
    openjpeg.library.cache_clear()
    try:
        with pytest.raises(SettingsError, match="pip install imagecodecs") as refused:
            openjpeg.library()
    finally:
        openjpeg.library.cache_clear()
    assert refused.value.found == (", ".join(candidates) or "none")


def test_every_candidate_works():
    """The wheels' and the system's, where there is one: each passes the same small test."""
    found = [openjpeg._load(path) for path in openjpeg._candidates()]
    assert len({each.path for each in found}) >= 2
    assert all(openjpeg._works(each) for each in found)


def test_what_openjpeg_refuses():
    """More levels than it has is a CodecError, and nothing of it is left behind."""
    with pytest.raises(CodecError, match="OpenJPEG"):
        openjpeg.encode(np.zeros((1, 8, 8), np.int32), Layout(12, 40, (12,)))


def test_nothing_leaks():
    """Images coded and refused, a hundred and more, take no more memory than a few."""
    given, region = image((96, 96), 12), disc((96, 96), 0.5, 0.5, 9)
    codec, process = open_codec("j2k-roi"), psutil.Process()

    def work(times: int) -> int:
        for _ in range(times):
            codec.encode(given, region)
            with pytest.raises(CodecError):
                openjpeg.encode(np.zeros((1, 96, 96), np.int32), Layout(12, 40, (12,)))
        return process.memory_info().rss

    before = work(30)
    assert work(120) - before < 120 * 96 * 96 * 4 // 10  # a tenth of one copy of the samples each


@pytest.mark.long
def test_two_threads_scale():
    """OpenJPEG works without the interpreter's lock: two threads do much more than one. Needs two quiet cores."""
    given, region = image((1024, 1024), 12, kind="noise"), disc((1024, 1024), 0.5, 0.5, 200)
    codec = open_codec("j2k-roi")

    def took(threads: int) -> float:
        begin = time.perf_counter()
        workers = [
            threading.Thread(target=lambda: [codec.encode(given, region) for _ in range(4)]) for _ in range(threads)
        ]
        for each in workers:
            each.start()
        for each in workers:
            each.join()
        return time.perf_counter() - begin

    assert max(2 * took(1) / took(2) for _ in range(3)) > 1.5


def test_doctor_tells_of_it(monkeypatch):
    """Which one is used, or what to install."""
    from sdfo.cli.doctor import _openjpeg

    openjpeg.library.cache_clear()
    well = _openjpeg()
    assert well.ok
    assert "2.5" in well.found
    assert openjpeg.library().path in well.found
    monkeypatch.setattr(openjpeg, "_candidates", lambda: iter(()))
    openjpeg.library.cache_clear()
    ill = _openjpeg()
    openjpeg.library.cache_clear()
    assert not ill.ok
    assert "apt-get install" in ill.next
