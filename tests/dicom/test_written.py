"""Laws of any file that pydicom writes: it is whole, its parts are where they are, and cut it is not whole."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydicom import Dataset, Sequence, dcmread
from pydicom.dataelem import RawDataElement

from sdfo.dicom import MemorySource, attributes, examine, select
from sdfo.dicom.attributes import plain
from sdfo.model import Kind

DEFLATED = "1.2.840.10008.1.2.1.99"
SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", DEFLATED)

WORDS = st.text("ABCdef 0123^", max_size=12)
VALUES: dict[tuple[int, str], st.SearchStrategy[Any]] = {
    (0x00080070, "LO"): WORDS | st.lists(WORDS, min_size=2, max_size=3),
    (0x00081030, "LO"): WORDS,
    (0x00100010, "PN"): WORDS,
    (0x00101010, "AS"): st.sampled_from(["", "030Y"]),
    (0x00102000, "LO"): WORDS,
    (0x00180050, "DS"): st.sampled_from([None, "1.5", "-3", ["1", "2.25"]]),
    (0x00200013, "IS"): st.integers(-(2**31), 2**31 - 1),
    (0x00204000, "LT"): st.text("abc \n", max_size=3000),
    (0x00280009, "AT"): st.sampled_from([0x00181063, [0x00181063, 0x00200013]]),
    (0x00283010, "SQ"): st.nothing(),
    (0x00291010, "OB"): st.binary(max_size=300),
    (0x00291011, "UN"): st.binary(max_size=30),
    (0x00291012, "US"): st.lists(st.integers(0, 65535), min_size=2, max_size=5),
    (0x00291013, "FD"): st.floats(allow_nan=False),
    (0x00291014, "UT"): st.text("xyz", max_size=70_000),
    (0x00400275, "SQ"): st.nothing(),
    (0x00880200, "SQ"): st.nothing(),
}


@st.composite
def datasets(draw: st.DrawFn, depth: int = 3) -> Dataset:
    """Some of the elements above, sequences of such within, of defined and undefined lengths."""
    ds = Dataset()
    ds.is_undefined_length_sequence_item = draw(st.booleans())
    ds.add_new(0x00290010, "LO", "SDFO TEST")
    for tag, vr in sorted(draw(st.sets(st.sampled_from(sorted(VALUES)), max_size=6))):
        if vr != "SQ":
            ds.add_new(tag, vr, draw(VALUES[tag, vr]))
        elif depth:
            items = Sequence(draw(st.lists(datasets(depth - 1), max_size=2)))
            items.is_undefined_length = draw(st.booleans())
            ds.add_new(tag, "SQ", items)
    return ds


@hypothesis_settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data(), ds=datasets(), syntax=st.sampled_from(SYNTAXES))
def test_what_pydicom_writes_is_whole_and_its_cuts_are_not(
    image: Callable[..., bytes], write: Callable[[Dataset], bytes], data: st.DataObject, ds: Dataset, syntax: str
) -> None:
    """Any dataset in any native transfer syntax: extents as pydicom has them, all tags selected as pydicom reads them,
    and not whole when cut anywhere."""
    rows, columns = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    whole = dcmread(BytesIO(image(syntax, bytes(rows * columns), rows=rows, columns=columns)))
    whole.update(ds)
    file = write(whole)
    structure = examine(MemorySource(file))
    assert (structure.kind, structure.reason, structure.notes) == (Kind.DICOM, None, ())
    read = dcmread(BytesIO(file))
    head = file if structure.pixels is None else file[: structure.pixels.offset]
    if syntax != DEFLATED:
        raw = read.get_item("PixelData")
        assert isinstance(raw, RawDataElement)
        assert structure.pixels is not None
        assert (structure.pixels.offset, structure.pixels.length) == (raw.value_tell, raw.length)
    tags = [int(tag) for tag in read.keys() if tag != 0x7FE00010]  # noqa: SIM118
    assert select(head, tags) == {tag: plain(read[tag].value) for tag in tags}
    del read.PixelData
    assert attributes(head) == read
    padding = syntax == DEFLATED  # the last byte of a deflated file may be there to make its length even
    cut = data.draw(st.integers(0, len(file) - 1 - padding))
    assert examine(MemorySource(file[:cut])).kind is not Kind.DICOM
