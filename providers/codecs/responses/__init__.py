"""OpenAI's Responses format. https://platform.openai.com/docs/api-reference/responses"""

from __future__ import annotations

from providers.codecs import Codec
from providers.codecs.responses.request_in import parse
from providers.codecs.responses.request_out import encode
from providers.codecs.responses.stream_in import decode_answer, new_decoder
from providers.codecs.responses.stream_out import Encoder
from providers.codecs.responses.whole_out import encode_answer

CODEC = Codec(
    name="responses",
    parse=parse,
    encode=encode,
    new_decoder=new_decoder,
    new_encoder=Encoder,
    decode_answer=decode_answer,
    encode_answer=encode_answer,
)
