"""Anthropic's Messages format. https://docs.anthropic.com/en/api/messages"""

from __future__ import annotations

from providers.codecs import Codec
from providers.codecs.messages.request_in import parse
from providers.codecs.messages.request_out import encode
from providers.codecs.messages.stream_in import decode_answer, new_decoder
from providers.codecs.messages.stream_out import Encoder
from providers.codecs.messages.whole_out import encode_answer

CODEC = Codec(
    name="messages",
    parse=parse,
    encode=encode,
    new_decoder=new_decoder,
    new_encoder=Encoder,
    decode_answer=decode_answer,
    encode_answer=encode_answer,
)
