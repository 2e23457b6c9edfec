"""Convert exams with mrjob: a mapper per file, a reducer per exam folder.

`sdfo convert --engine mrjob` writes the input and the --work file and runs this; pixel bytes are read and written here
and never pass between mapper and reducer.
"""

from collections.abc import Iterable, Iterator

from mrjob.job import MRJob
from mrjob.protocol import RawProtocol, RawValueProtocol

from sdfo.nightly.mrjob import Work


class ConvertExams(MRJob):
    INTERNAL_PROTOCOL = RawProtocol
    OUTPUT_PROTOCOL = RawValueProtocol

    def configure_args(self) -> None:
        super().configure_args()
        self.add_file_arg("--work", help="settings, run and exams, as JSON")

    def load_work(self) -> None:
        self.work = Work.load(self.options.work)

    def mapper(self, _: None, line: str) -> Iterator[tuple[str, str]]:
        yield self.work.describe(line)

    def reducer(self, exam: str, described: Iterable[str]) -> Iterator[tuple[None, str]]:
        yield None, self.work.merge(exam, described)

    mapper_init = load_work
    reducer_init = load_work


if __name__ == "__main__":
    ConvertExams.run()
