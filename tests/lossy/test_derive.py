"""One image's lossy second object: another instance, exact in its region, the same at every run."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import Dataset, Sequence, dcmread
from pydicom.encaps import generate_frames
from pydicom.uid import UID

from sdfo import conf
from sdfo.dicom import MemorySource, examine
from sdfo.jpeg2000 import Image, decode, judge, open_codec
from sdfo.lossy import Derived, Policy, Refused, derive
from sdfo.lossy.frames import Limits, Unfit, compressed, proven
from sdfo.lossy.protected import Protected, protected
from sdfo.model import Kind, is_uid
from sdfo.region import Region, Shown

Made = tuple[Dataset, Dataset, Derived]


def _derived(data: bytes, policy: Policy) -> Derived:
    found = derive(data, policy)
    assert isinstance(found, Derived), found
    return found


def _frames(ds: Dataset) -> list[bytes]:
    return list(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))


@pytest.fixture(scope="module")
def made(ct, written, read, policy: Policy) -> Made:
    """An original, its lossy object, and what is told of it."""
    original = ct()
    told = _derived(written(original), policy)
    return original, read(told.data), told


def test_it_is_another_instance(made: Made) -> None:
    """Of the same study, patient and class, in a series of its own; File Meta Information of its own."""
    before, after, told = made
    assert after.SOPInstanceUID == told.sop != before.SOPInstanceUID
    assert after.SeriesInstanceUID != before.SeriesInstanceUID
    assert all(is_uid(uid) for uid in (after.SOPInstanceUID, after.SeriesInstanceUID))
    same = ("StudyInstanceUID", "SOPClassUID", "PatientID", "FrameOfReferenceUID", "InstanceNumber", "PixelSpacing")
    assert all(after[word].value == before[word].value for word in same)
    assert (after.SeriesDescription, after.SeriesNumber) == ("Thorax 5 mm (lossy)", 9003)
    meta = after.file_meta
    assert (meta.MediaStorageSOPInstanceUID, meta.MediaStorageSOPClassUID) == (told.sop, before.SOPClassUID)
    assert meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.91"
    assert meta.ImplementationVersionName == "SDFO"


def test_it_says_that_it_is_lossy(made: Made) -> None:
    """PS3.3 sections C.7.6.1.1.2 and C.7.6.1.1.5, with the ratio that the bytes have on the basis of Bits Stored."""
    _, after, told = made
    assert list(after.ImageType) == ["DERIVED", "PRIMARY", "AXIAL"]
    assert (after.LossyImageCompression, after.LossyImageCompressionMethod) == ("01", "ISO_15444_1")
    length = len(_frames(after)[0].rstrip(b"\0"))
    assert told.ratio == pytest.approx(128 * 128 * 16 / (8 * length), rel=1e-3)
    assert float(after.LossyImageCompressionRatio) == pytest.approx(told.ratio, abs=0.005)


def test_it_names_what_it_was_made_of(made: Made) -> None:
    """PS3.3 section C.12.4: how, of what, and for what purpose that is named."""
    before, after, told = made
    assert [(c.CodeValue, c.CodingSchemeDesignator) for c in after.DerivationCodeSequence] == [("113040", "DCM")]
    (source,) = after.SourceImageSequence
    assert (source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID) == (
        before.SOPClassUID,
        before.SOPInstanceUID,
    )
    (purpose,) = source.PurposeOfReferenceCodeSequence
    assert (purpose.CodeValue, purpose.CodeMeaning) == ("121320", "Uncompressed predecessor")
    for fact in ("body", f"{told.area:.1%}", f"PSNR {told.psnr:.1f} dB", f"{told.ratio:.2f}:1"):
        assert fact in after.DerivationDescription


def test_what_was_true_of_the_original_alone_is_gone(ct, written, read, policy: Policy, an_item) -> None:
    """Ranges of its pixels, its small picture, its signatures at any depth, when it was made."""
    signed = an_item(DigitalSignaturesSequence=Sequence([an_item(MACIDNumber=1)]), CodeValue="1")
    ds = ct(IconImageSequence=Sequence([an_item(Rows=1)]), AnatomicRegionSequence=Sequence([signed]))
    ds.MACParametersSequence, ds.DataSetTrailingPadding = Sequence([an_item(MACIDNumber=1)]), b"\0\0"
    ds.DigitalSignaturesSequence = Sequence([an_item(MACIDNumber=1)])
    after = read(_derived(written(ds), policy).data)
    gone = {"SmallestImagePixelValue", "LargestImagePixelValue", "IconImageSequence", "MACParametersSequence"}
    gone |= {"DigitalSignaturesSequence", "InstanceCreationDate", "DataSetTrailingPadding"}
    assert not gone & {element.keyword for element in after.iterall()}
    assert after.AnatomicRegionSequence[0].CodeValue == "1"


def test_the_region_is_exact_in_two_decoders(made: Made) -> None:
    """And both show the same background, whose quality is as told."""
    before, after, told = made
    (stream,) = _frames(after)
    image = Image(before.pixel_array, 16, True)
    mask = protected(before, image, 0, conf.Region()).mask
    first, second = decode(stream).samples, judge(stream).samples
    assert np.array_equal(first, second)
    assert np.array_equal(first[mask], image.samples[mask])
    assert 0 < mask.mean() < 1
    assert mask.mean() == pytest.approx(told.area)
    errors = (first.astype(int) - image.samples)[~mask]
    assert told.largest == np.abs(errors).max() > 0
    span = int(image.samples.max()) - int(image.samples.min())
    assert told.psnr == pytest.approx(10 * np.log10(span**2 / np.mean(errors**2)))


def test_it_is_whole(made: Made) -> None:
    """By this project's own walk, with a fragment for its frame."""
    found = examine(MemorySource(made[2].data))
    assert (found.kind, len(found.frames or ())) == (Kind.DICOM, 1)
    assert found.notes == ()


def test_the_same_at_every_run(ct, written, policy: Policy, made: Made) -> None:
    """Of the same bytes and policy; another policy, or one byte more, makes another instance."""
    data = written(ct())
    assert _derived(data, policy).data == made[2].data
    other = replace(policy, lossy=policy.lossy.model_copy(update={"background_db": 41}))
    assert _derived(data, other).sop != made[2].sop
    assert _derived(written(ct(PatientComments="x")), policy).sop != made[2].sop


def test_one_series_of_a_series(ct, written, read, policy: Policy) -> None:
    """Images of one series are in one; those of another are not."""
    one, two = (read(_derived(written(ct(seed=seed)), policy).data) for seed in (1, 2))
    other = read(_derived(written(ct(SeriesInstanceUID="1.2.3")), policy).data)
    assert one.SeriesInstanceUID == two.SeriesInstanceUID != other.SeriesInstanceUID
    assert one.SOPInstanceUID != two.SOPInstanceUID


def test_the_ceiling_is_kept_at_its_edge(ct, written, policy: Policy, made: Made) -> None:
    """A ceiling that a layer just reaches gives that layer; one hair lower the next layer, or none."""
    ratio = made[2].ratio
    for ceiling, reached in ((ratio, True), (np.nextafter(ratio, 0), False)):
        lossy = policy.lossy.model_copy(update={"ceilings": {"CT": float(ceiling)}})
        found = derive(written(ct()), replace(policy, lossy=lossy))
        if reached:
            assert isinstance(found, Derived)
            assert found.ratio == ratio
        else:
            assert isinstance(found, Refused) or found.ratio < ratio


def test_no_layer_under_the_ceiling(ct, written, policy: Policy) -> None:
    """The last layer is lossless, and no answer: the image is refused."""
    lossy = policy.lossy.model_copy(update={"ceilings": {"CT": 1.01}})
    found = derive(written(ct()), replace(policy, lossy=lossy))
    assert found == Refused("no lossy layer lies under the ceiling")


def test_a_background_below_the_limit(ct, written, policy: Policy) -> None:
    """More layers are kept until it is good enough; where none is, the image is refused."""
    poor = _derived(written(ct()), replace(policy, lossy=policy.lossy.model_copy(update={"background_db": 0})))
    good = _derived(
        written(ct()), replace(policy, lossy=policy.lossy.model_copy(update={"background_db": poor.psnr + 1}))
    )
    assert (good.layers > poor.layers, good.psnr > poor.psnr, good.ratio < poor.ratio) == (True, True, True)
    best = replace(policy, lossy=policy.lossy.model_copy(update={"background_db": 200}))
    assert derive(written(ct()), best) == Refused(
        "no lossy layer under the ceiling has a background that is good enough"
    )


def test_a_region_that_is_the_whole_image(ct, written, policy: Policy) -> None:
    """Nothing is to be gained: refused."""
    whole = replace(policy, region=conf.Region(method="whole"))
    assert derive(written(ct()), whole) == Refused("the region is the whole image")


def test_several_frames(ct, written, read, policy: Policy) -> None:
    """Each has its codestream and its region; the ratio is of all of them."""
    ds = ct(size=64, frames=3, BodyPartExamined="CHEST")
    told = _derived(written(ds), policy)
    after = read(told.data)
    streams = _frames(after)
    assert (len(streams), after.NumberOfFrames, len(told.layers)) == (3, 3, 3)
    for number, stream in enumerate(streams):
        image = Image(ds.pixel_array[number], 16, True)
        mask = protected(ds, image, number, conf.Region()).mask
        assert np.array_equal(decode(stream).samples[mask], image.samples[mask])
    assert told.ratio == pytest.approx(3 * 64 * 64 * 16 / (8 * sum(len(s.rstrip(b"\0")) for s in streams)), rel=1e-2)


def test_padding_and_its_rim_are_exact(ct, written, read, policy: Policy) -> None:
    """A viewer tells padding by its value alone, so that none of it may change, and nothing else may become it."""
    ds = ct(PixelPaddingValue=-2000)
    array = ds.pixel_array.copy()
    array[:20] = -2000
    ds.PixelData = array.tobytes()
    shown = decode(_frames(read(_derived(written(ds), policy).data))[0]).samples
    assert np.array_equal(shown == -2000, array == -2000)
    assert np.array_equal(shown[:24], array[:24])


def test_an_enhanced_object(ct, written, read, policy: Policy, an_item) -> None:
    """Says in its functional groups too that it was derived (PS3.3 section C.7.6.16.2.6)."""
    kinds = Sequence([an_item(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])])
    measures = Sequence([an_item(PixelSpacing=[2, 2])])
    values = Sequence([an_item(RescaleSlope=1, RescaleIntercept=0, RescaleType="HU")])
    shared = an_item(CTImageFrameTypeSequence=kinds, PixelMeasuresSequence=measures)
    shared.PixelValueTransformationSequence = values
    groups = Sequence([an_item(FrameContentSequence=Sequence([an_item(StackID="1")])) for _ in range(2)])
    ds = ct(
        size=64, frames=2, SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", SharedFunctionalGroupsSequence=Sequence([shared])
    )
    ds.PerFrameFunctionalGroupsSequence = groups
    after = read(_derived(written(ds), policy).data)
    (group,) = after.SharedFunctionalGroupsSequence
    assert group.CTImageFrameTypeSequence[0].FrameType[0] == "DERIVED"
    (said,) = group.DerivationImageSequence
    assert said.SourceImageSequence[0].ReferencedSOPInstanceUID == ds.SOPInstanceUID
    assert said.DerivationCodeSequence[0].CodeValue == "113040"


def test_earlier_derivations_stay(ct, written, read, policy: Policy, an_item) -> None:
    """They are steps of this one's history, in order."""
    code = an_item(CodeValue="113072", CodingSchemeDesignator="DCM", CodeMeaning="Multiplanar reformatting")
    ds = ct(DerivationCodeSequence=Sequence([code]), DerivationDescription="MPR")
    after = read(_derived(written(ds), policy).data)
    assert [each.CodeValue for each in after.DerivationCodeSequence] == ["113072", "113040"]
    assert after.DerivationDescription.startswith("MPR; JPEG 2000")


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2"])
def test_other_codings(ct, written, policy: Policy, made: Made, read, syntax: str) -> None:
    """The same image in implicit VR or in big endian becomes the same picture."""
    ds = ct()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    if syntax.endswith("2.2"):
        ds.PixelData = (
            ds.pixel_array.astype(">i2").tobytes()
            if False
            else np.frombuffer(ds.PixelData, "<i2").astype(">i2").tobytes()
        )
    assert _frames(read(_derived(written(ds), policy).data)) == _frames(made[1])


def test_what_is_no_native_image(ct, written, policy: Policy) -> None:
    """Bits above High Bit, truncated files, other files: refused with a reason, never an error."""
    unsigned = {"PixelRepresentation": 0, "SmallestImagePixelValue": None}
    above = derive(written(ct(BitsStored=12, HighBit=11, **unsigned)), policy)
    assert isinstance(above, Refused)
    assert above.reason.startswith("bits above High Bit in use")
    assert isinstance(derive(written(ct())[:-100], policy), Refused)
    assert derive(b"no DICOM at all", policy) == Refused("no DICOM file")


def test_the_proof_sees_a_region_that_is_not_exact(ct) -> None:
    """A stream that lost something in the region, or is another image's, is refused."""
    samples = ct().pixel_array
    image, everywhere = Image(samples, 16, True), np.ones(samples.shape, dtype=bool)
    whole = Protected(everywhere, "test", "", None, None)
    other = bytes(imagecodecs.jpeg2k_encode(samples + np.int16(1), level=0, codecformat="j2k", reversible=True))
    with pytest.raises(Unfit, match="the region is not exact"):
        proven(other, image, whole)
    with pytest.raises(Unfit, match="does not take the codestream"):
        proven(other[:-50], image, whole)


def test_new_padding_is_refused(ct) -> None:
    """Where every lossy layer turns some background into the padding's value, there is no lossy object."""
    samples = ct().pixel_array
    region = np.zeros(samples.shape, dtype=bool)
    region[60:70, 60:70] = True
    ends = (-2000, 2000)  # whatever the background becomes
    protected_ = Protected(region, "test", "", np.zeros_like(region), ends)
    with pytest.raises(Unfit, match="would read as padding"):
        compressed(Image(samples, 16, True), protected_, Limits(1000, 0), open_codec("j2k-roi"))


def test_write_and_read_by_pydicom(made: Made) -> None:
    """Other software reads the pixels through the transfer syntax that the object names."""
    before, _, told = made
    shown: Any = dcmread(BytesIO(told.data)).pixel_array
    assert shown.shape == before.pixel_array.shape
    assert shown[64, 64] == before.pixel_array[64, 64]


def test_nothing_to_lose(ct, written, policy: Policy) -> None:
    """A background of nothing makes no lossy object: it would say 01 of what lost nothing (test_lossy_real has the other way)."""
    ds = ct()
    flat = ds.pixel_array.copy()
    flat[flat < -500] = 0
    ds.PixelData = flat.tobytes()
    high = policy.lossy.model_copy(update={"ceilings": {"CT": 10_000.0}})
    found = derive(written(ds), replace(policy, lossy=high, find=_body_of_flat))
    assert isinstance(found, Refused)
    assert found.reason == "all of the image depends on the region"


def _body_of_flat(shown: Shown, plan: conf.Region) -> Region:
    """A box around it, wide enough for the wavelet to be still outside."""
    mask = np.zeros(shown.shape, dtype=bool)
    mask[16:112, 24:104] = True
    return Region.of(mask, "test", "a box")
