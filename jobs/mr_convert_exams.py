"""Convert exams with mrjob: a mapper per file, a reducer per exam folder.

`sdfo convert --engine mrjob` writes the input and the --work file and runs this; pixel bytes are read and written here
and never pass between mapper and reducer.
"""

from collections.abc import Iterable, Iterator

from mrjob.job import MRJob
from mrjob.protocol import RawProtocol, RawValueProtocol

from sdfo.nightly import streaming
from sdfo.nightly.mrjob import Work


class ConvertExams(MRJob):
    INTERNAL_PROTOCOL = RawProtocol
    OUTPUT_PROTOCOL = RawValueProtocol
    HADOOP_INPUT_FORMAT = streaming.INPUT

    def configure_args(self) -> None:
        super().configure_args()
        self.add_file_arg("--work", help="settings, run and exams, as JSON")

    def load_work(self) -> None:
        self.work = Work.load(self.options.work)

    def mapper(self, _: None, line: str) -> Iterator[tuple[str, str]]:
        with streaming.alive(self.set_status):
            described = self.work.describe(line)
        yield described

    def reducer(self, exam: str, described: Iterable[str]) -> Iterator[tuple[None, str]]:
        with streaming.alive(self.set_status):
            outcome = self.work.merge(exam, described)
        yield None, outcome

    mapper_init = load_work
    reducer_init = load_work


if __name__ == "__main__":
    ConvertExams.run()
