"""Any sequence of calls gives what a dict would give."""

from __future__ import annotations

import secrets

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdfo.errors import Exists, Missing, StoreError
from sdfo.stores import Store
from sdfo.testing.contracts.store_base import StoreUnderTest

_NAMES = st.sampled_from(["a", "b", "a.b", "d/a", "d/e/a"])  # none is the folder of another
_CALLS = st.one_of(
    st.tuples(st.just("create"), _NAMES, st.binary(max_size=9)),
    st.tuples(st.just("put"), _NAMES, st.binary(max_size=9)),
    st.tuples(st.just("rename"), _NAMES, _NAMES),
    st.tuples(st.just("delete"), _NAMES, st.none()),
    st.tuples(st.just("read"), _NAMES, st.none()),
)


class ModelContract(StoreUnderTest):
    @given(calls=st.lists(_CALLS, max_size=12))
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_like_a_dict(self, store: Store, calls: list[tuple[str, str, object]]) -> None:
        """Answers, errors, listing and bytes, after each call; each run in a folder of its own."""
        top, model = secrets.token_hex(8), dict[str, bytes]()
        for verb, name, argument in calls:
            assert _on_store(store, top, verb, name, argument) == _on_dict(model, verb, name, argument)
        found = {stat.path.removeprefix(f"{top}/"): stat.size for stat in store.list(top)}
        assert found == {name: len(data) for name, data in model.items()}
        for name, data in model.items():
            assert self.raw_bytes(store, f"{top}/{name}") == data


def _on_store(store: Store, top: str, verb: str, name: str, argument: object) -> object:
    path = f"{top}/{name}"
    try:
        match verb, argument:
            case "create", bytes(data):
                with store.create(path) as sink:
                    sink.write(data)
            case "put", bytes(data):
                store.put(path, data)
            case "rename", str(new):
                store.rename(path, f"{top}/{new}")
            case "delete", _:
                store.delete(path)
            case _:
                return store.read_all(path)
    except StoreError as error:
        return type(error)
    return None


def _on_dict(model: dict[str, bytes], verb: str, name: str, argument: object) -> object:
    match verb, argument:
        case (("create" | "put"), bytes(data)):
            if name in model:
                return Exists
            model[name] = data
        case _ if name not in model:
            return Missing
        case "rename", str(new):
            if new in model:
                return Exists
            model[new] = model.pop(name)
        case "delete", _:
            del model[name]
        case _:
            return model[name]
    return None
