"""OpenAI's chat completions. https://platform.openai.com/docs/api-reference/chat"""

from __future__ import annotations

from providers.codecs import Codec
from providers.codecs.chat.request_in import parse
from providers.codecs.chat.request_out import encode
from providers.codecs.chat.stream_in import decode_answer, new_decoder
from providers.codecs.chat.stream_out import Encoder
from providers.codecs.chat.whole_out import encode_answer

CODEC = Codec(
    name="chat",
    parse=parse,
    encode=encode,
    new_decoder=new_decoder,
    new_encoder=Encoder,
    decode_answer=decode_answer,
    encode_answer=encode_answer,
)
