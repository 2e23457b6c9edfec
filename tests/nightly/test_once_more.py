"""Steps that are run again, late, out of order, or by somebody else meanwhile."""

from __future__ import annotations

from contextlib import suppress

import pytest

from sdfo.client import Archive as Client
from sdfo.errors import EngineError, Fenced, Fuse, Unavailable, UsageError
from sdfo.nightly import night as night_module
from sdfo.nightly import report as report_module
from sdfo.nightly.care.gc import gc
from sdfo.nightly.convert import convert, outcomes
from sdfo.nightly.local import LocalEngine
from sdfo.nightly.place import Place
from sdfo.nightly.publish import publish
from sdfo.nightly.report import report
from sdfo.nightly.scan import scan
from sdfo.nightly.verify import verify
from sdfo.testing.exams import Series, make_exam
from sdfo.testing.odd import change_in_place


def _exams(archive, count: int = 3, slices: int = 2) -> None:
    for seed in range(count):
        make_exam(archive.san / f"exam{seed}", slices=slices, modality="CT", seed=seed, size=16)


def _until(archive, last: str, run: str = "r1") -> Place:
    """The place of a run whose steps up to `last` are done."""
    place, engine = archive.place(run), LocalEngine(0)
    place.catalog.start_run(run, "local")
    scan(place)
    if last in ("convert", "verify"):
        convert(place, engine)
    if last == "verify":
        verify(place, engine)
    return place


class _Dead(LocalEngine):
    """An engine that is not well: no exam survives it."""

    def convert(self, job, tasks, progress=None):
        raise EngineError("a worker process died")


class _Dying(LocalEngine):
    """Dies of one folder."""

    def convert(self, job, tasks, progress=None):
        if any(task.folder == b"exam1" for task in tasks):
            raise EngineError("a worker process died")
        return super().convert(job, tasks)


def test_an_engine_that_kills_every_exam_is_to_blame_itself(archive):
    """No exam is set aside for it: the step fails, and once the engine is well the same run archives all."""
    _exams(archive)
    place = _until(archive, "scan")
    with pytest.raises(EngineError):
        convert(place, _Dead(0))
    assert archive.night("r1").ledger.lines["archived tonight"] == 6


def test_convert_again_tries_again_what_was_not_converted(archive):
    """An exam that was set aside by the first try is converted by the second; the others keep their attempts."""
    _exams(archive)
    place = _until(archive, "scan")
    convert(place, _Dying(0))
    kept = {part.attempt for outcome in outcomes(place) for part in outcome.parts}
    assert len(kept) == 2
    convert(place, LocalEngine(0))
    now = {part.attempt for outcome in outcomes(place) for part in outcome.parts}
    assert kept < now
    assert len(now) == 3


def test_a_fuse_that_blew_does_not_blow_for_ever(archive):
    """What failed alike is mended: the same run's convert reads the files again."""
    _exams(archive, 3, slices=20)
    place = _until(archive, "scan")
    with pytest.raises(Fuse):
        convert(place, _Dying(0))
    assert convert(place, LocalEngine(0)).files == 60


def test_convert_again_writes_again_what_gc_removed(archive):
    """A run that is taken up again after its attempts were collected comes to its end."""
    _exams(archive)
    _until(archive, "convert")
    archive.end_turn()
    assert gc(archive.place("other"), keep_seconds=-1).removed == 3
    found = archive.night("r1")
    assert found.good
    assert not found.attention


def test_a_run_that_another_overtook_publishes_nothing(archive):
    """Its descriptions are old: publishing them after those of a later run would serve old bytes for new ones."""
    _exams(archive, 1)
    place = _until(archive, "verify")
    archive.end_turn()
    corrected = archive.san / "exam0" / "S001-I00001.dcm"
    corrected.write_bytes(corrected.read_bytes().replace(b"MONOCHROME2", b"MONOCHROME1"))
    assert archive.night("r2").good
    before = archive.parts()
    for step in (publish, lambda p: verify(p, LocalEngine(0)), lambda p: convert(p, LocalEngine(0))):
        with pytest.raises(UsageError) as refused:
            step(place)
        assert "sdfo scan --run r1" in str(refused.value)
    assert archive.parts() == before
    assert Client(archive.settings()).open(Series("CT", 0, 16).sop_uid(1)) == corrected.read_bytes()
    assert archive.night("r1").good


def test_a_scan_again_takes_what_came_since(archive):
    """`scan` cleared after the run had published: the run goes on with what is new, and its report balances."""
    _exams(archive)
    archive.night("r1")
    make_exam(archive.san / "late", slices=2, modality="CT", seed=9, size=16)
    scan(archive.place("r1"))
    with pytest.raises(Exception, match="sdfo convert --run r1"):
        publish(archive.place("r1"))
    assert not report(archive.place("r1")).good
    assert archive.night("r1").ledger.lines["archived tonight"] == 2


def test_a_night_that_is_fenced_leaves_its_successor_alone(archive, monkeypatch):
    """The same run was started once more: the first one stops, writes no report, and takes no token any more."""
    _exams(archive)
    place = archive.place("r1")

    def overtaken(place, engine, progress):
        taken.append(place.catalog.take_lease("archive", "r1", "successor"))
        raise Fenced("a later step holds the lease archive")

    taken = []
    monkeypatch.setattr(night_module, "convert", overtaken)
    with pytest.raises(Fenced):
        night_module.night(place, "local")
    place.catalog.check(taken[0])
    assert not place.has("report.json")


def test_a_zombie_notes_nothing(archive, monkeypatch):
    """A scan whose successor is at work: neither its manifests, nor what it saw, nor its end are kept."""
    _exams(archive)
    archive.night("r0")
    place = archive.place("r1")
    place.catalog.start_run("r1", "local")
    real = place.san.list

    def cleared(folder: bytes):
        place.catalog.take_lease("archive", "r1", "successor")
        return real(folder)

    states = {path: row.state for path, row in place.catalog.folders().items()}
    monkeypatch.setattr(place.san, "list", cleared)
    with pytest.raises(Fenced):
        scan(place)
    assert {path: row.state for path, row in place.catalog.folders().items()} == states
    assert not place.has("exams.parquet")
    assert place.catalog.steps("r1")["scan"].state == "started"


def test_a_zombie_sets_nothing_aside(archive, monkeypatch):
    """A publish step whose successor took over while it renamed: no entry of quarantine is its."""
    _exams(archive, 1)
    place = _until(archive, "verify")
    (part,) = outcomes(place)[0].parts
    other = archive.folder / "hdfs" / part.path
    other.parent.mkdir(parents=True)
    other.write_bytes(b"something else lies there")
    real = place.store.rename

    def cleared(old: str, new: str) -> None:
        if new == part.path:
            place.catalog.take_lease("archive", "r1", "successor")
        real(old, new)

    monkeypatch.setattr(place.store, "rename", cleared)
    with pytest.raises(Fenced):
        publish(place)
    assert place.catalog.quarantine() == []


@pytest.mark.parametrize("step", ["verify", "publish", "report"])
def test_a_zombie_replaces_no_manifest_and_is_never_done(archive, monkeypatch, step):
    """Its successor takes over just before it writes what it found: nothing is written, and the step is not done."""
    _exams(archive, 1)
    place = _until(archive, "convert" if step == "verify" else "verify")
    if step == "report":
        publish(place)

    def overtaken(real):
        def call(*words):
            found = real(*words)
            place.catalog.take_lease("archive", "r1", "successor")
            return found

        return call

    engine = LocalEngine(0)
    if step == "verify":
        monkeypatch.setattr(engine, "verify", overtaken(engine.verify))
    elif step == "publish":
        monkeypatch.setattr(place.catalog, "publish", overtaken(place.catalog.publish))
    else:
        monkeypatch.setattr("sdfo.nightly.report._gathered", overtaken(report_module._gathered))
    with pytest.raises(Fenced):
        {"verify": lambda: verify(place, engine), "publish": lambda: publish(place), "report": lambda: report(place)}[
            step
        ]()
    written = {"verify": "verified.parquet", "publish": "published.parquet", "report": "report.json"}[step]
    assert not place.has(written)
    assert place.catalog.steps("r1")[step].state == "started"


def test_a_step_that_was_overtaken_at_its_end_is_not_done(archive, monkeypatch):
    """The successor came while the last manifest was written: that the step is done is the successor's to say."""
    _exams(archive, 1)
    place, engine = _until(archive, "convert"), LocalEngine(0)
    real = place.write

    def overtaken(*words):
        real(*words)
        place.catalog.take_lease("archive", "r1", "successor")

    monkeypatch.setattr(place, "write", overtaken)
    with pytest.raises(Fenced):
        verify(place, engine)
    assert place.catalog.steps("r1")["verify"].state == "started"


def test_a_fault_of_this_program_still_leaves_a_report(archive, monkeypatch):
    """A step ends with an error that is none of ours: the page is written, and the error goes on to whoever called."""
    _exams(archive)

    def stumbling(place, engine, progress):
        raise ValueError("a fault")

    monkeypatch.setattr(night_module, "convert", stumbling)
    with pytest.raises(ValueError, match="a fault"):
        archive.night("r1")
    assert archive.place("r1").has("report.html")
    archive.end_turn()
    monkeypatch.undo()
    assert archive.night("r2").good


def test_a_store_that_is_away_sets_no_exam_aside(archive, monkeypatch):
    """The store does not answer while publish looks at a name that is taken: the step fails, nobody is quarantined."""
    _exams(archive, 1)
    place = _until(archive, "verify")
    publish(place)
    (part,) = outcomes(place)[0].parts
    real = place.store.open

    def away(path: str):
        if path == part.path:
            raise Unavailable("the store does not answer", path=path)
        return real(path)

    monkeypatch.setattr(place.store, "open", away)
    with pytest.raises(Unavailable):
        publish(place)
    assert place.catalog.quarantine() == []


def test_what_was_never_verified_is_no_exams_fault(archive):
    """Converted again after verify: publish asks for verify, and sets nothing aside."""
    _exams(archive)
    place = _until(archive, "verify")
    gc(archive.place("other"), keep_seconds=-1)
    for path in (archive.folder / "hdfs" / "attempts").rglob("*.sdicom"):
        path.unlink()
    convert(place, LocalEngine(0))
    with pytest.raises(UsageError, match="sdfo verify --run r1"):
        publish(place)
    assert place.catalog.quarantine() == []


def test_a_mistyped_run_takes_no_lease(archive):
    """A step of a run that nobody began is refused, and holds nobody up."""
    _exams(archive)
    place = archive.place("mistyped")
    for step in (publish, lambda p: verify(p, LocalEngine(0))):
        with pytest.raises(UsageError):
            step(place)
    assert archive.night("r1").good


@pytest.mark.parametrize("gone", ["exams.parquet", "seen.parquet", "published.parquet", "verified.parquet"])
def test_a_report_is_written_whatever_was_lost(archive, gone):
    """A step died between deleting its manifest and writing it again: the report says that the night is not good."""
    _exams(archive)
    archive.night("r1")
    place = archive.place("r1")
    place.store.delete(place.path(gone))
    with suppress(Exception):
        publish(place)
    found = report(place)
    assert place.has("report.html")
    assert found.good == (gone == "published.parquet") or found.missing or not found.ledger.seen


@pytest.mark.parametrize(
    "run", ["..", ".", "", "scheduled__2026-11-24T20:00:00+00:00", "a/../../b", "\u00e9 \0", "r" * 300]
)
def test_any_text_is_a_run(archive, run):
    """Whatever a scheduler calls it, the run stays below runs/ and comes to its end."""
    _exams(archive, 1)
    found = archive.night(run)
    assert found.good
    assert (archive.folder / "hdfs" / "runs" / found.run / "report.json").is_file()


def test_a_part_whose_neighbour_is_missing_is_not_whole(archive):
    """A large file beside the part was lost before verify: the part is refused, and archived by the next run."""
    make_exam(archive.san / "a", slices=1, modality="CT", seed=1, size=1024)
    flags = {"hdfs": {"root": "hdfs", "max_record_mib": 1}}
    place, engine = archive.place("r1", **flags), LocalEngine(0)
    place.catalog.start_run("r1", "local")
    scan(place)
    convert(place, engine)
    (apart,) = (archive.folder / "hdfs" / "attempts").rglob("*.dcm")
    apart.unlink()
    assert verify(place, engine).refused == 1


def test_a_neighbour_that_was_moved_before_the_kill_is_whole(archive):
    """publish died after it had moved the large file: verify finds it where it lies, and publish goes on."""
    make_exam(archive.san / "a", slices=1, modality="CT", seed=1, size=1024)
    flags = {"hdfs": {"root": "hdfs", "max_record_mib": 1}}
    place, engine = archive.place("r1", **flags), LocalEngine(0)
    place.catalog.start_run("r1", "local")
    scan(place)
    convert(place, engine)
    (part,) = outcomes(place)[0].parts
    place.store.rename(*part.apart[0])
    assert verify(place, engine).whole == 1
    assert publish(place).new == 1


def test_a_damaged_neighbour_at_its_name_is_not_taken_for_the_right_one(archive):
    """What lies at a large file's final name has other bytes: the part is refused, and both are kept."""
    make_exam(archive.san / "a", slices=1, modality="CT", seed=1, size=1024)
    flags = {"hdfs": {"root": "hdfs", "max_record_mib": 1}}
    place, engine = archive.place("r1", **flags), LocalEngine(0)
    place.catalog.start_run("r1", "local")
    scan(place)
    convert(place, engine)
    verify(place, engine)
    (part,) = outcomes(place)[0].parts
    attempt, final = part.apart[0]
    target = archive.folder / "hdfs" / final
    target.parent.mkdir(parents=True)
    target.write_bytes(place.store.read_all(attempt))
    change_in_place(target)
    assert publish(place).set_aside == 1
    assert place.store.stat(attempt)


def test_convert_again_leaves_what_is_published_to_the_next_scan(archive, monkeypatch):
    """One file could not be read, the others are published; it can be read now: nothing is archived a second time."""
    from sdfo.converter import Problem, describe
    from sdfo.model import Fate
    from sdfo.nightly import job

    _exams(archive, 1)

    def unreadable(san, folder, stamp):
        if stamp.name.endswith(b"1.dcm"):
            return Problem(stamp, Fate.UNREADABLE, "a file cannot be opened")
        return describe(san, folder, stamp)

    monkeypatch.setattr(job.converter, "describe", unreadable)
    place, engine = _until(archive, "verify"), LocalEngine(0)
    publish(place)
    before = archive.parts()
    monkeypatch.undo()
    convert(place, engine)
    verify(place, engine)
    assert publish(place).already == 1
    assert archive.parts() == before
    archive.end_turn()
    assert archive.night("r2").ledger.lines["archived tonight"] == 1
    assert len(list(Client(archive.settings()).exam(Series("CT", 0, 16).study_uid))) == 2


def test_convert_again_writes_again_what_verify_refused(archive):
    """A part that the disk spoilt: the same run comes to its end with a new one."""
    _exams(archive)
    place, engine = _until(archive, "convert"), LocalEngine(0)
    (part,) = outcomes(place)[0].parts
    change_in_place(archive.folder / "hdfs" / part.attempt)
    assert verify(place, engine).refused == 1
    assert archive.night("r1").ledger.lines["archived tonight"] == 6
    assert archive.place().catalog.quarantine() == []


def test_attempts_that_are_all_gone_are_no_exams_fault(archive):
    """Whatever took them away: verify fails, nobody is set aside."""
    _exams(archive)
    place = _until(archive, "convert")
    for path in (archive.folder / "hdfs" / "attempts").rglob("*.sdicom"):
        path.unlink()
    with pytest.raises(EngineError):
        verify(place, LocalEngine(0))


def test_gc_takes_what_a_killed_mrjob_left(archive):
    """Its input names folders and files of the SAN; of the run at work, and what is young, it stays."""
    store = archive.place().store
    store.put("runs/r1/mrjob-0123/work.json", b"names")
    store.put("runs/r1/report.json", b"{}")
    assert gc(archive.place("other")).removed == 0
    archive.place("r1").catalog.take_lease("archive", "r1", "a process", 300)
    assert gc(archive.place("other"), keep_seconds=-1).removed == 0
    archive.end_turn()
    assert gc(archive.place("other"), keep_seconds=-1).removed == 1
    assert [stat.path for stat in store.list("runs")] == ["runs/r1/report.json"]
