"""Every recorded stream of every codec's format: what it says, by golden files, and that it says the same wherever it is cut."""

from __future__ import annotations

import pytest

from tests import golden
from tests.recorded import streams_of
from tests.translating import CODECS, cut, decoded

STREAMS = {(codec, name): stream for codec in CODECS for name, stream in streams_of(codec).items()}
EVERY_STREAM = pytest.mark.parametrize(("codec", "name"), STREAMS)


def test_every_codec_has_recordings() -> None:
    assert {codec for codec, _ in STREAMS} == set(CODECS)


@EVERY_STREAM
def test_what_they_say(codec: str, name: str) -> None:
    golden.check(f"{codec}/{name}.events.txt", golden.as_lines(decoded(CODECS[codec], [STREAMS[codec, name]])))


@EVERY_STREAM
def test_cut_at_every_byte_they_say_the_same(codec: str, name: str) -> None:
    stream = STREAMS[codec, name]
    assert decoded(CODECS[codec], (stream[at : at + 1] for at in range(len(stream)))) == decoded(CODECS[codec], [stream])


@EVERY_STREAM
def test_cut_in_two_they_say_the_same(codec: str, name: str) -> None:
    stream = STREAMS[codec, name]
    whole = decoded(CODECS[codec], [stream])
    for at in range(1, len(stream), 11):
        assert decoded(CODECS[codec], cut(stream, [at])) == whole
