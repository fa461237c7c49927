#!/usr/bin/env python3
"""Writes a tiny random-weight llama-architecture GGUF that a real llama.cpp server loads. No downloads; needs gguf and numpy.

usage: make_tiny_gguf.py OUT.gguf [--seed 7] [--embd 64] [--layers 2] [--ctx 8192]

The vocabulary is llama/SPM style: control tokens, 256 byte-fallback tokens (any UTF-8 input can be tokenised) and a few hundred word
pieces. Output rows of byte and control tokens are zero, so sampled text is made of words and not of broken UTF-8. Three dimensions of
the residual stream are reserved and no random weight writes them; they make replies end by themselves and real tool calls come out:

0  a constant, so column 0 of the head is a bias per token;
1  "tools were offered": set on the `<tools>` token, copied to later tokens by attention head 0 of layer 0;
2  "the current token is `<tool_call>`", which makes a newline the next token: that triggers llama.cpp's grammar.

`--embd 1024 --layers 16` gives 610 MB and about 20 tokens a second, a realistic pace; `--seed` gives distinct models.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

import numpy as np
from gguf import GGUFWriter, TokenType

WORDS = """the a of to and in is it that for on with as are this be at or from by an was not can will have which one all
you we they he she do if each how their said use there what so up out about who get would make like him into time has
look two more write go see number no way could people my than first water been call oil its now find long down day did
come made may part data model token route stream proxy cache local cloud price speed quality small large test code file
function return value list string class error retry server client request response header body key user system answer
question think plan step result check read open close run build fix change add remove true false null yes three four five
six seven eight nine ten hello world donut"""

# ChatML, with tools the way Hermes models take them: llama.cpp recognises that form and constrains calls by a grammar.
TEMPLATE = (
    "{%- if tools %}{{- '<|im_start|>system\\n' }}"
    "{%- if messages[0]['role'] == 'system' %}{{- messages[0]['content'] + '\\n' }}{%- endif %}"
    "{{- 'tools:\\n<tools>' }}{%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}"
    "{{- '\\n</tools>\\nanswer with:\\n<tool_call>\\n"
    '{"name": <function-name>, "arguments": <args-json-object>}'
    "\\n</tool_call><|im_end|>\\n' }}"
    "{%- elif messages[0]['role'] == 'system' %}"
    "{{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}{%- endif %}\n"
    "{%- for m in messages %}"
    "{%- if m.role == 'user' or (m.role == 'system' and not loop.first) %}"
    "{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
    "{%- elif m.role == 'assistant' %}{{- '<|im_start|>assistant' }}"
    "{%- if m.content %}{{- '\\n' + m.content }}{%- endif %}"
    "{%- for tc in m.tool_calls or [] %}{%- if tc.function %}{%- set tc = tc.function %}{%- endif %}"
    '{{- \'\\n<tool_call>\\n{"name": "\' }}{{- tc.name }}{{- \'", "arguments": \' }}'
    "{{- tc.arguments | tojson }}{{- '}\\n</tool_call>' }}{%- endfor %}{{- '<|im_end|>\\n' }}"
    "{%- elif m.role == 'tool' %}"
    "{{- '<|im_start|>user\\n<tool_response>\\n' + m.content + '\\n</tool_response><|im_end|>\\n' }}{%- endif %}{%- endfor %}\n"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)

HEADS = 4
KV_HEADS = 2
RESERVED = 3
"""Leading dimensions of the residual stream that no random weight writes."""
SPACE = "\u2581"
"""SPM's mark for a space before a word."""


@dataclass
class Vocabulary:
    """Tokens with scores and types, in the three parallel lists that GGUF has."""

    tokens: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    types: list[TokenType] = field(default_factory=list)
    words: slice = field(default_factory=lambda: slice(0, 0))
    """Where the whole words are: only these are ever sampled."""

    def add(self, token: str, score: float, type_: TokenType) -> None:
        self.tokens.append(token)
        self.scores.append(score)
        self.types.append(type_)

    def index(self, token: str) -> int:
        return self.tokens.index(token)


def make_vocabulary() -> Vocabulary:
    vocabulary = Vocabulary()
    vocabulary.add("<unk>", 0.0, TokenType.UNKNOWN)
    # The template writes <tools> only when the request offers tools.
    for control in ("<s>", "</s>", "<|im_start|>", "<|im_end|>", "<tools>"):
        vocabulary.add(control, 0.0, TokenType.CONTROL)
    vocabulary.add("<tool_call>", 0.0, TokenType.USER_DEFINED)
    for byte in range(256):
        vocabulary.add(f"<0x{byte:02X}>", 0.0, TokenType.BYTE)
    words = [SPACE + word for word in dict.fromkeys(WORDS.split())]
    first = len(vocabulary.tokens)
    for word in words:
        vocabulary.add(word, -float(len(vocabulary.tokens)), TokenType.NORMAL)
    vocabulary.words = slice(first, len(vocabulary.tokens))
    # SPM merges pairs of pieces that exist: a word is only found when its beginnings and its letters are tokens too.
    beginnings = {word[:length] for word in words for length in range(2, len(word))}
    letters = [chr(code) for code in range(33, 127)] + [SPACE, "\n"]
    for piece in dict.fromkeys([*sorted(beginnings), *letters]):
        if piece not in words:
            vocabulary.add(piece, -1000.0 - len(vocabulary.tokens), TokenType.NORMAL)
    return vocabulary


def write_metadata(writer: GGUFWriter, vocabulary: Vocabulary, options: argparse.Namespace) -> None:
    writer.add_name(options.name)
    writer.add_description("random weights for gateway tests; not a language model")
    writer.add_license("CC0-1.0")
    writer.add_context_length(options.ctx)
    writer.add_embedding_length(options.embd)
    writer.add_block_count(options.layers)
    writer.add_feed_forward_length(options.embd * 2)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(options.embd // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(vocabulary.tokens))
    writer.add_file_type(0)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_scores(vocabulary.scores)
    writer.add_token_types([int(type_) for type_ in vocabulary.types])
    writer.add_unk_token_id(vocabulary.index("<unk>"))
    writer.add_bos_token_id(vocabulary.index("<s>"))
    writer.add_eos_token_id(vocabulary.index("<|im_end|>"))
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)


def normal(rng: np.random.Generator, rows: int, columns: int, scale: float = 1.0) -> np.ndarray:
    return (rng.standard_normal((rows, columns)) * scale).astype(np.float32)


def write_embedding_and_head(writer: GGUFWriter, vocabulary: Vocabulary, rng: np.random.Generator, embd: int) -> None:
    """The reserved dimensions are read and biased here; the numbers were tuned until replies had about 20 tokens."""
    size = len(vocabulary.tokens)
    embedding = normal(rng, size, embd)
    embedding[:, 0] = 8.0
    embedding[:, 1:RESERVED] = 0.0
    embedding[vocabulary.index("<tool_call>"), 2] = 30.0
    tools = vocabulary.index("<tools>")
    embedding[tools] = 0.0
    embedding[tools, :2] = 0.1, 8.0
    writer.add_tensor("token_embd.weight", embedding)

    head = np.zeros((size, embd), np.float32)
    words = vocabulary.words
    head[words] = normal(rng, words.stop - words.start, embd, 0.45)
    head[:, :RESERVED] = 0.0
    # Token → (bias always, bias more when tools were offered): the end of a reply, a string's end, a tool call.
    for token, biases in {"<|im_end|>": (4.5, 1.5), '"': (4.0, 3.0), "<tool_call>": (-10.0, 16.0)}.items():
        head[vocabulary.index(token), :2] = biases[0] / 5.0, biases[1] / 5.0
    head[vocabulary.index("\n"), 2] = 3.0
    writer.add_tensor("output.weight", head)
    writer.add_tensor("output_norm.weight", np.ones(embd, np.float32))


def write_layer(writer: GGUFWriter, rng: np.random.Generator, layer: int, embd: int) -> None:
    per_head, forward = embd // HEADS, embd * 2
    query = normal(rng, embd, embd, embd**-0.5)
    key = normal(rng, KV_HEADS * per_head, embd, embd**-0.5)
    value = normal(rng, KV_HEADS * per_head, embd, embd**-0.5)
    output = normal(rng, embd, embd, 0.5 * embd**-0.5)
    down = normal(rng, embd, forward, 0.5 * forward**-0.5)
    output[:RESERVED] = 0
    down[:RESERVED] = 0
    if layer == 0:
        # Heads 0 and 1 share key/value head 0. The slowest RoPE pair is used, so that distance hardly matters.
        query[: 2 * per_head] = 0
        key[:per_head] = 0
        value[:per_head] = 0
        output[:, : 2 * per_head] = 0
        query[per_head - 2, 0] = 1.5
        key[per_head - 2, 1] = 1.5
        value[0, 1] = 1.0
        output[1, 0] = 1.0
    tensors = {
        "attn_norm": np.ones(embd, np.float32),
        "ffn_norm": np.ones(embd, np.float32),
        "attn_q": query,
        "attn_k": key,
        "attn_v": value,
        "attn_output": output,
        "ffn_gate": normal(rng, forward, embd, embd**-0.5),
        "ffn_up": normal(rng, forward, embd, embd**-0.5),
        "ffn_down": down,
    }
    for name, tensor in tensors.items():
        writer.add_tensor(f"blk.{layer}.{name}.weight", tensor)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a tiny random-weight GGUF that a real llama.cpp server loads.")
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--embd", type=int, default=64, help="width; a multiple of 8")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--ctx", type=int, default=8192, help="context window in tokens")
    parser.add_argument("--name", default="tiny-random-llama")
    options = parser.parse_args()

    rng = np.random.default_rng(options.seed)
    vocabulary = make_vocabulary()
    writer = GGUFWriter(options.out, "llama")
    write_metadata(writer, vocabulary, options)
    write_embedding_and_head(writer, vocabulary, rng, options.embd)
    for layer in range(options.layers):
        write_layer(writer, rng, layer, options.embd)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{options.out}: {len(vocabulary.tokens)} tokens, width {options.embd}, {options.layers} layers")


if __name__ == "__main__":
    main()
