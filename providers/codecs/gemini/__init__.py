"""Google's generateContent. https://ai.google.dev/api/generate-content"""

from __future__ import annotations

from providers.codecs import Codec
from providers.codecs.gemini.request_in import parse
from providers.codecs.gemini.request_out import encode
from providers.codecs.gemini.stream_in import decode_answer, new_decoder
from providers.codecs.gemini.stream_out import Encoder
from providers.codecs.gemini.whole_out import encode_answer

CODEC = Codec(
    name="gemini",
    parse=parse,
    encode=encode,
    new_decoder=new_decoder,
    new_encoder=Encoder,
    decode_answer=decode_answer,
    encode_answer=encode_answer,
)
