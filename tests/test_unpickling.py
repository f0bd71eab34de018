"""A pickled Stream is read to the last bit; any other pickle is refused, and nothing that it asks for is run."""

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import obspy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obspy import Stream, Trace, UTCDateTime

from geojax.data import unpickling
from geojax.data.unpickling import RefusedPickleError, read_pickled_stream
from geojax.errors import UserError

START = UTCDateTime(2016, 7, 11, 5, 54, 56, 388000)


def trace(data: np.ndarray, station: str = "1001", channel: str = "DPZ", **stats) -> Trace:
    own = {"network": "YW", "station": station, "location": "00", "channel": channel, "sampling_rate": 250.0}
    return Trace(data, own | {"starttime": START} | stats)


def written(tmp_path: Path, content: object, protocol: int | None = None) -> Path:
    path = tmp_path / "stream.pickle"
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("kind", ["<i4", ">i4", "<i2", "<i8", "<f4", "<f8", ">f8"])
def test_an_honest_stream_reads_back_exactly(rng, tmp_path, protocol, kind):
    samples = [(1000 * rng.normal(size=size)).astype(kind) for size in (50, 7)]
    stream = Stream([trace(samples[0]), trace(samples[1], "2002", "DP1", sampling_rate=99.5, location="")])

    found = read_pickled_stream(written(tmp_path, stream, protocol))

    assert [t.data.tolist() for t in found] == [s.tolist() for s in samples]
    assert [t.data.dtype for t in found] == [np.dtype(kind)] * 2
    assert [(t.network, t.station, t.location, t.channel) for t in found] == [
        ("YW", "1001", "00", "DPZ"), ("YW", "2002", "", "DP1"),
    ]  # fmt: skip
    assert [t.sampling_rate for t in found] == [250.0, 99.5]
    assert [t.starttime_ns for t in found] == [START.ns] * 2
    assert [t.units for t in found] == ["counts"] * 2


def test_what_obspy_itself_writes_as_pickle_is_read(rng, tmp_path):
    stream = Stream([trace(rng.integers(-100, 100, 64).astype("int32"))])
    stream.write(str(tmp_path / "a.pickle"), format="PICKLE")

    (found,) = read_pickled_stream(tmp_path / "a.pickle")

    np.testing.assert_array_equal(found.data, stream[0].data)


def test_a_time_as_obspy_wrote_it_before_1_5_is_read(tmp_path, monkeypatch):
    old = lambda time: {"_UTCDateTime__precision": 6, "_UTCDateTime__ns": time.ns, "_initialized": True}  # noqa: E731
    monkeypatch.setattr(UTCDateTime, "__getstate__", old)

    (found,) = read_pickled_stream(written(tmp_path, Stream([trace(np.arange(3.0))])))

    assert found.starttime_ns == START.ns


@given(st.lists(st.floats(width=64), min_size=1, max_size=20))
def test_every_sample_comes_back_whatever_it_is(tmp_path, samples):
    data = np.array(samples)

    (found,) = read_pickled_stream(written(tmp_path, Stream([trace(data)])))

    assert found.data.tobytes() == data.tobytes()


def test_the_response_and_what_was_done_to_the_samples_are_told(tmp_path):
    stream = obspy.read()  # ObsPy's own example, from its package
    for each in stream:
        each.stats.response = obspy.read_inventory().get_response(each.id, each.stats.starttime)
    stream.detrend("demean")

    found = read_pickled_stream(written(tmp_path, stream))

    response = stream[0].stats.response.instrument_sensitivity
    assert (found[0].sensitivity, found[0].input_units) == (response.value, response.input_units)
    assert any("detrend" in step for step in found[0].processing)
    assert found[0].units == "counts"


def test_samples_freed_of_their_response_are_no_counts(tmp_path):
    stream = Stream([trace(np.zeros(9))])
    stream[0].stats.processing = ["ObsPy 1.5.0: remove_response(output='VEL')"]

    assert read_pickled_stream(written(tmp_path, stream))[0].units == "see processing"


def test_samples_are_ones_own_to_change(tmp_path):
    (found,) = read_pickled_stream(written(tmp_path, Stream([trace(np.arange(5.0))])))

    found.data[0] = 9.0

    assert found.data[0] == 9.0


class Calls:
    """Pickles to a call of `function`, which an ordinary load would run."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def hostile(mark: Path) -> dict[str, object]:
    """Pickles of which an ordinary load makes the file `mark`."""
    shell = f"touch {mark}"
    python = f"open({str(mark)!r}, 'w').close()"
    nested = Stream([trace(np.arange(4.0))])
    nested[0].stats.extra = Calls(exec, python)
    inside = Stream([trace(np.arange(4.0))])
    inside[0].data = np.array([1.0, Calls(os.system, shell)], dtype=object)
    return {
        "os.system": Calls(os.system, shell),
        "subprocess": Calls(subprocess.call, ["touch", str(mark)]),
        "eval": Calls(eval, python),
        "exec": Calls(exec, python),
        "getattr of a builtin": Calls(eval, f"getattr(__import__('os'), 'system')({shell!r})"),
        "a call whose argument is a call": Calls(list, [Calls(exec, python)]),
        "in the header of an honest stream": nested,
        "in the samples of an honest stream": inside,
        "in a dictionary's key": {"traces": [{1: Calls(exec, python)}]},
        "protocol 0": f"cos\nsystem\n(S{shell!r}\ntR.".encode(),
        "an old-style instance": f"(S{shell!r}\nios\nsystem\n.".encode(),
        "a path through an admitted module": b"\x80\x04cobspy.core.stream\n_read_from_plugin\n.",
    }


NAMES = sorted(hostile(Path("x")))


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_pickle_is_refused_and_nothing_of_it_runs(tmp_path, name, protocol):
    mark = tmp_path / "ran"
    content = hostile(mark)[name]
    path = written(tmp_path, content, protocol)
    if not name.startswith("a path"):  # the others do run where they are trusted
        pickle.loads(path.read_bytes())
        assert mark.exists()
        mark.unlink()

    with pytest.raises(RefusedPickleError, match=r"stream\.pickle: the pickle asks for [\w.]+, which .* Nothing"):
        read_pickled_stream(path)

    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["Stream.__init__", "Stream.__init__.__globals__", "read", "Trace.__class__", "__builtins__"]
)
@pytest.mark.parametrize("module", ["obspy.core.stream", "obspy.core.trace", "numpy"])
def test_nothing_but_the_listed_names_is_reached_through_a_listed_module(tmp_path, module, name):
    reaching = b"\x80\x04" + b"".join(b"\x8c" + bytes([len(s)]) + s.encode() for s in (module, name)) + b"\x93."

    with pytest.raises(RefusedPickleError, match="Nothing of it was run"):
        read_pickled_stream(written(tmp_path, reaching))


def test_objects_instead_of_samples_are_refused(tmp_path):
    stream = Stream([trace(np.arange(3.0))])
    stream[0].data = np.array([1, "a", None], dtype=object)

    with pytest.raises(RefusedPickleError, match="object arrays are never read"):
        read_pickled_stream(written(tmp_path, stream))


@pytest.mark.parametrize(
    "data", [np.zeros((2, 3)), np.array(["a", "b"]), np.array([1j]), np.array([True]), np.zeros(3, "i4,f4")]
)
def test_samples_that_are_not_one_row_of_plain_numbers_are_refused(tmp_path, data):
    stream = Stream([trace(np.arange(3.0))])
    stream[0].__dict__["data"] = data

    with pytest.raises(RefusedPickleError, match="not a 1-D float or integer array"):
        read_pickled_stream(written(tmp_path, stream))


def test_a_persistent_id_is_refused(tmp_path):
    with pytest.raises(RefusedPickleError, match="persistent id 'x' refused"):
        read_pickled_stream(written(tmp_path, b"Px\n."))


@pytest.mark.parametrize(
    "content", [{"a": 1}, [1, 2], "text", None, {"traces": []}, START, trace(np.zeros(3)), np.zeros(3)]
)
def test_an_honest_pickle_of_something_else_is_refused(tmp_path, content):
    with pytest.raises(RefusedPickleError, match=r"stream\.pickle: "):
        read_pickled_stream(written(tmp_path, content))


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"\x89HDF\r\n", b"\x80\x04.", b"\x82\x01."])
def test_what_is_no_pickle_is_refused(tmp_path, content):
    with pytest.raises(RefusedPickleError, match=r"stream\.pickle: not a readable pickle"):
        read_pickled_stream(written(tmp_path, content))


def test_an_absent_file_is_refused_by_name(tmp_path):
    with pytest.raises(UserError, match=r"gone\.pickle: "):
        read_pickled_stream(tmp_path / "gone.pickle")


def test_a_stream_cut_short_anywhere_is_refused(tmp_path):
    whole = pickle.dumps(Stream([trace(np.arange(20.0)), trace(np.arange(20.0), "1002")]))

    for length in range(0, len(whole), 3):
        with pytest.raises(RefusedPickleError):
            read_pickled_stream(written(tmp_path, whole[:length]))


def test_a_header_that_is_no_header_is_refused(tmp_path):
    for key, value in (("sampling_rate", "fast"), ("sampling_rate", None), ("starttime", 5), ("starttime", "now")):
        stream = Stream([trace(np.arange(3.0))])
        stream[0].stats.__dict__[key] = value
        with pytest.raises(RefusedPickleError, match="not a pickled ObsPy Stream"):
            read_pickled_stream(written(tmp_path, stream))


DAMAGED = """
import random, resource, sys
from pathlib import Path
from geojax.data.unpickling import RefusedPickleError, read_pickled_stream

resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))  # a damaged length may ask for any memory
path, mark = Path(sys.argv[1]), Path(sys.argv[2])
whole, generator = path.read_bytes(), random.Random(1)
for _ in range(800):
    damaged = bytearray(whole)
    for _ in range(generator.randint(1, 4)):
        damaged[generator.randrange(len(damaged))] = generator.randrange(256)
    path.write_bytes(damaged)
    try:
        read_pickled_stream(path)
    except RefusedPickleError as error:
        assert str(path) in str(error)
print("done", mark.exists())
"""


def test_a_damaged_stream_is_read_or_refused_in_words_and_runs_nothing(tmp_path):
    path = written(tmp_path, Stream([trace(np.arange(10.0)), trace(np.arange(10), "1002")]))

    done = subprocess.run(
        [sys.executable, "-c", DAMAGED, str(path), str(tmp_path / "ran")], capture_output=True, text=True
    )

    assert done.stdout == "done False\n", done.stderr


def test_a_stand_in_does_nothing_with_what_it_is_handed():
    held = unpickling.StreamUnpickler(
        io.BytesIO(b"\x80\x02cnumpy\nndarray\nX\x04\x00\x00\x00rm -\x85R}X\x01\x00\x00\x00aK\x01sb."), "x"
    ).load()

    assert (held.args, held.state) == (("rm -",), {"a": 1})
    assert not isinstance(held, np.ndarray)
