"""An entry says what the S-DICOM file says: pydicom, reading the original files, is the judge of its attributes."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from pydicom import dcmread

from sdfo.catalog import Catalog, Query, SeriesAttributes, StudyAttributes, entry_of, study_attributes
from sdfo.model import Form, Kind
from sdfo.sdicom import Part
from sdfo.stores.local import LocalStore
from sdfo.testing.exams import Series, pydicom_exams
from sdfo.testing.exams import real_exams as full_size
from sdfo.testing.parts import write_part

IMAGE = Series("CT", 7, 16, date="20240102")


def read(store: LocalStore, path: str):  # type: ignore[no-untyped-def]
    with Part.open(store, path) as part:
        return entry_of(part, path, part.size, "hdfs", "original")


def by_pydicom(files: list[bytes]) -> list[tuple[str, ...]]:
    """For each series, by the first of its files: what the catalog keeps."""
    found: dict[str, tuple[str, ...]] = {}
    for data in files:
        ds = dcmread(BytesIO(data), stop_before_pixels=True)
        said = (str(ds.get(name) or "") for name in ("Modality", "SeriesDescription", "BodyPartExamined"))
        number = ds.get("SeriesNumber")
        found.setdefault(ds.SeriesInstanceUID, (ds.SeriesInstanceUID, *said, "" if number is None else str(number)))
    return sorted(found.values())


def _small_real_studies() -> dict[str, dict[bytes, bytes]]:
    studies: dict[str, dict[bytes, bytes]] = {}
    for exam in pydicom_exams():
        for path in exam.files():
            data = path.read_bytes()
            uid = dcmread(BytesIO(data), stop_before_pixels=True).StudyInstanceUID
            studies.setdefault(uid, {})[path.name.encode()] = data
    return studies


def check_study(store: LocalStore, uid: str, files: dict[bytes, bytes]) -> None:
    made = read(store, write_part(store, uid, b"exam", files))
    ds = dcmread(BytesIO(files[min(files)]), stop_before_pixels=True)
    said = made.attributes
    for kept, keyword in (
        (said.patient_id, "PatientID"),
        (said.patient_name, "PatientName"),
        (said.birth_date, "PatientBirthDate"),
        (said.sex, "PatientSex"),
        (said.date, "StudyDate"),
        (said.time, "StudyTime"),
        (said.description, "StudyDescription"),
        (said.accession, "AccessionNumber"),
    ):
        assert kept == str(ds.get(keyword) or "").strip(), keyword
    kept_series = [(s.series, s.modality, s.description, s.body_part, s.number) for s in said.series]
    assert sorted(kept_series) == by_pydicom([files[name] for name in sorted(files)])
    assert {each.name: (each.sop, each.kind) for each in made.instances} == {
        name: (dcmread(BytesIO(data), stop_before_pixels=True).SOPInstanceUID, Kind.DICOM)
        for name, data in files.items()
    }


def test_small_real_studies(store: LocalStore) -> None:
    """Six studies of four modalities, as they ship with pydicom."""
    studies = _small_real_studies()
    assert len(studies) >= 6
    for uid, files in studies.items():
        check_study(store, uid, files)


def test_full_size_real_exams(real_exams: Path, store: LocalStore) -> None:
    """A few files of each, private heads and all."""
    for exam in full_size(real_exams):
        data = [path.read_bytes() for path in list(exam.files())[1::40]]
        said = [dcmread(BytesIO(one), stop_before_pixels=True, force=True) for one in data]
        files = {b"%03d" % n: data[n] for n, ds in enumerate(said) if "SOPInstanceUID" in ds}
        (uid,) = {ds.StudyInstanceUID for ds in said if "SOPInstanceUID" in ds}
        check_study(store, uid, files)


def test_places_and_names(store: LocalStore, catalog: Catalog) -> None:
    """Raw names, offsets from the first record, files apart with their path: the bytes lie where `locate` says."""
    one, two = IMAGE.images(2)
    big = one + b"\0" * 8192
    files = {b"a%41\xff": one, b"b": two, b"big": big, b"note.txt": b"no DICOM", b"cut": two[:-200]}
    path = write_part(store, IMAGE.study_uid, b"M\xfcller", files, largest=4096)
    made = read(store, path)
    assert (made.study, made.folder, made.path, made.form) == (IMAGE.study_uid, b"M\xfcller", path, Form.FILE)
    kinds = {each.name: each.kind for each in made.instances}
    assert kinds == {
        b"a%41\xff": Kind.DICOM,
        b"b": Kind.DICOM,
        b"big": Kind.DICOM,
        b"note.txt": Kind.OTHER,
        b"cut": Kind.DAMAGED,
    }
    catalog.publish(catalog.take_lease("archive", "r", "h"), "r", [made])
    for place in catalog.locate(IMAGE.study_uid):
        assert place.path
        assert place.extent
        with store.open(place.path) as source:
            assert source.read(place.extent.offset, place.extent.length) == files[place.name]
    assert [(row.instances, row.modalities) for row in catalog.find(Query())] == [(2, ("CT",))]
    assert [(row.name, row.kind) for row in catalog.quarantine()] == [(b"cut", "damaged")]


def test_a_series_of_one_large_file_is_described_from_that_file(store: LocalStore) -> None:
    """The heads hold nothing of a file apart."""
    (image,) = IMAGE.images(1)
    made = read(store, write_part(store, IMAGE.study_uid, b"e", {b"big": image}, largest=100))
    assert (made.attributes.date, made.attributes.series[0].modality) == ("20240102", "CT")
    assert made.instances[0].path
    store.stat(made.instances[0].path)


def test_a_damaged_file_is_not_asked_first(store: LocalStore) -> None:
    """Whole files of a series speak for it, whatever their names; a damaged one where there is no other."""
    (image,), (cut,) = IMAGE.images(1), Series("CT", 7, 16, date="20300101").images(1)
    both = read(store, write_part(store, IMAGE.study_uid, b"e", {b"a": cut[:-9], b"b": image}))
    assert both.attributes.date == "20240102"
    alone = read(store, write_part(store, IMAGE.study_uid, b"e", {b"a": cut[:-9]}))
    assert (alone.attributes.date, alone.attributes.series[0].modality) == ("20300101", "CT")


def test_nothing_but_notes_has_no_attributes(store: LocalStore) -> None:
    """A folder's leftovers, archived under a UID of the study they lay with."""
    made = read(store, write_part(store, "1.2.3", b"e", {b"Thumbs.db": b"x"}))
    assert made.attributes == StudyAttributes("1.2.3")


def test_heads_of_any_kind_are_read() -> None:
    """An impossible date is none; the first head counts, a later one fills blanks; no series, no series' attributes."""
    odd = Series("MR", 3, 16, date="20241399")
    heads = [next(odd.images(1)), next(IMAGE.images(1))]
    said = study_attributes("1.2", [(None, heads[0], None), ("1.2.1", heads[1], None)])
    assert said.date == "20240102"
    assert said.patient_id == dcmread(BytesIO(heads[0])).PatientID
    assert [series.modality for series in said.series] == ["CT"]
    assert study_attributes("1.2", [("1.2.1", b"rubbish", None)]).series == (SeriesAttributes("1.2.1"),)
