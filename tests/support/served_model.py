"""A server of the completions API over a real model, in the form in which `vllm serve` answers, with switches for what
servers do wrong. Its numbers are those of the `hf` backend."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

from backends.contract import GenerateRequest, StreamRequest

BOS, EOS = 0, 1


@dataclass
class Behaviour:
    """What this server does otherwise than a good one."""

    served: str = "nano-teacher"
    owner: str = "vllm"
    others: tuple[str, ...] = ()
    length: int | None = 514
    version: str | None = "0.0.test"
    rows: str = "vllm"
    """vllm, none, zeros, chance, shifted, reversed ranks, echo, echo by id."""
    takes_ids: bool = True
    gives_ids: bool = True
    takes: set[str] | None = None
    """Fields that it knows, where others are an error."""
    adds_bos: bool = False
    cuts: int | None = None
    """Tokens to which it silently cuts a prompt."""
    drops: int = 0
    """It drops each n-th completion's connection."""
    halves: int = 0
    """It sends half of each n-th completion's answer."""
    busy: int = 0
    """Completions that it turns away first."""
    retry_after: str | None = "0"
    fails_after: int | None = None
    """Completions after which it answers 500 only."""
    dies_when: Callable[[], bool] | None = None
    key: str | None = None
    certificate: tuple[str, str] | None = None
    """Files of a key and a certificate: it speaks TLS."""
    stale: str = ""
    """`told`: rows of a prompt seen before are made up, and it says how many; `untold`: it does not say."""
    seen: list[dict] = field(default_factory=list)
    """Bodies of completions that were asked."""
    headers: list[dict] = field(default_factory=list)


class Model:
    """A backend that one thread at a time uses."""

    def __init__(self, backend):
        self.backend, self.lock = backend, threading.Lock()

    def rows(self, tokens):
        """log p and rank of each token behind those before it, the first without; and the best token there."""
        with self.lock:
            (block,) = list(self.backend.distributions([tokens[:-1]], [len(tokens) - 1]))
        found = [None]
        for row, token in zip(block, tokens[1:], strict=True):
            own = row[token]
            found.append((float(own), int((row > own).sum()) + 1, int(row.argmax()), float(row.max())))
        return found

    def written(self, body, prompt):
        """New tokens, the end of text among them, and why they ended."""
        new = body["max_tokens"]
        if body.get("ignore_eos"):
            return [token for _, token in self.streamed(prompt, new)], "length"
        stop = body.get("stop") or []
        drawn = body.get("temperature", 1) > 0
        how = {"temperature": body["temperature"], "top_p": body["top_p"], "seed": body["seed"]} if drawn else {}
        request = GenerateRequest(tuple(prompt), new, tuple([stop] if isinstance(stop, str) else stop), **how)
        with self.lock:
            (made,) = list(self.backend.generate([request]))
        tokens = list(made.tokens)
        text = self.backend.tokenizer.decode(tokens, skip_special_tokens=False)
        if made.finish == "stop" and not any(each in text for each in request.stop):
            tokens.append(EOS)
        return tokens, made.finish

    def streamed(self, prompt, new):
        """(time, token) of each new token as the device has it."""
        feed = _Once(StreamRequest(0, tuple(prompt), new))
        with self.lock:
            for step in self.backend.stream(feed, 1, len(prompt) + new, time.perf_counter):
                yield from ((step.time, token) for _, token in step.tokens)


class _Once:
    def __init__(self, request):
        self.left = [request]

    def take(self, room, idle):
        return [self.left.pop()] if self.left else None if idle else ()


@contextmanager
def serving(backend, behaviour=None, **words):
    """A running server of the backend; yields its URL and what it does, which may be changed while it runs."""
    behaviour = behaviour or Behaviour(**words)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.model, server.behaviour = Model(backend), behaviour
    server.number, server.prompts = count(1), set()
    if behaviour.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(behaviour.certificate[1], behaviour.certificate[0])
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http{'s' if behaviour.certificate else ''}://127.0.0.1:{server.server_address[1]}", behaviour
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        does = self.server.behaviour
        if self._kept_out():
            return
        if self.path == "/v1/models":
            length = {} if does.length is None else {"max_model_len": does.length}
            names = [does.served, *does.others]
            self._say(
                200, {"object": "list", "data": [{"id": n, "owned_by": does.owner, "root": n, **length} for n in names]}
            )
        elif self.path == "/version" and does.version:
            self._say(200, {"version": does.version})
        else:
            self._say(404, {"detail": "Not Found"})

    def do_POST(self):
        does, body = self.server.behaviour, json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._kept_out():
            return
        does.headers.append(dict(self.headers))
        number = next(self.server.number)
        if does.busy > 0:
            does.busy -= 1
            self._say(
                429, {"error": {"message": "busy"}}, {"Retry-After": does.retry_after} if does.retry_after else {}
            )
        elif (does.fails_after is not None and number > does.fails_after) or (does.dies_when and does.dies_when()):
            self._say(500, {"error": {"message": f"EngineCore died; key was {does.key}"}})
        elif does.drops and number % does.drops == 0:
            self.close_connection = True
            self.connection.close()
        else:
            does.seen.append(body)
            self._complete(body, does, half=does.halves and number % does.halves == 0)

    def _kept_out(self):
        does = self.server.behaviour
        if does.key is None or self.headers.get("Authorization") == f"Bearer {does.key}":
            return False
        self._say(401, {"error": {"message": f"Incorrect key: {self.headers.get('Authorization')}", "code": 401}})
        return True

    def _complete(self, body, does, half):
        unknown = set(body) - does.takes if does.takes is not None else set()
        if body["model"] not in (does.served, *does.others):
            self._say(404, {"error": {"message": f"The model `{body['model']}` does not exist."}})
        elif unknown:
            self._say(
                400, {"object": "error", "message": f"Extra inputs are not permitted: {sorted(unknown)}", "code": 400}
            )
        elif isinstance(body["prompt"], list) and not does.takes_ids:
            self._say(422, {"error": {"message": "prompt must be a string"}})
        else:
            prompt = self._prompt(body, does)
            if body.get("stream"):
                self._stream(body, prompt)
            else:
                self._say(200, self._answer(body, prompt, does), half=half)

    def _prompt(self, body, does):
        prompt = body["prompt"]
        if isinstance(prompt, str):
            prompt = self.server.model.backend.tokenizer.encode([prompt], add_special_tokens=False)[0]
        prompt = [BOS, *prompt] if does.adds_bos else list(prompt)
        return prompt[-does.cuts :] if does.cuts else prompt

    def _answer(self, body, prompt, does):
        model = self.server.model
        tokens, finish = model.written(body, prompt)
        shown = model.backend.tokenizer.decode(tokens)
        for stop in body.get("stop") or ():
            shown = shown.partition(stop)[0]
        choice = {"index": 0, "text": shown, "logprobs": None, "finish_reason": finish, "stop_reason": None}
        if does.gives_ids and body.get("return_token_ids"):
            choice["token_ids"], choice["prompt_token_ids"] = tokens, prompt
        usage = {
            "prompt_tokens": len(prompt),
            "completion_tokens": len(tokens),
            "total_tokens": len(prompt) + len(tokens),
        }
        if body.get("logprobs") is not None:
            choice["logprobs"] = self._logprobs(body, prompt, tokens, does)
        if body.get("prompt_logprobs") is not None and does.rows not in ("none", "echo", "echo by id"):
            choice["prompt_logprobs"] = self._prompt_rows(body, prompt, does, usage)
        return {
            "id": "cmpl-0",
            "object": "text_completion",
            "created": 0,
            "model": body["model"],
            "choices": [choice],
            "usage": usage,
        }

    def _prompt_rows(self, body, prompt, does, usage):
        rows = self.server.model.rows(prompt)
        cached = self._cached(body, prompt)
        if does.stale:
            rows = [row and (-7.0 - at % 3, 9, *row[2:]) if at <= cached else row for at, row in enumerate(rows)]
            usage["prompt_tokens_details"] = {"cached_tokens": cached} if does.stale == "told" else None
        entries = [None]
        for at, token in enumerate(prompt[1:], 1):
            logprob, rank, *_ = rows[at]
            if does.rows == "zeros":
                logprob, rank = 0.0, 1
            elif does.rows == "chance":
                logprob = -6.6438
            elif does.rows == "shifted":
                token, (logprob, rank, *_) = prompt[at - 1], rows[at - 1] or (-1.0, 2)
            elif does.rows == "reversed ranks":
                rank = 1 if rank > 1 else 2
            entries.append({str(token): {"logprob": logprob, "rank": rank, "decoded_token": "?"}})
        return entries

    def _cached(self, body, prompt):
        """Whole blocks of 16 that a prompt has in common with one of before of the same salt; this one is remembered."""
        salt, prompts = body.get("cache_salt"), self.server.prompts
        blocks = [(salt, tuple(prompt[:end])) for end in range(16, len(prompt), 16)]
        known = max((len(tokens) for salted, tokens in blocks if (salted, tokens) in prompts), default=0)
        prompts.update(blocks)
        return known

    def _logprobs(self, body, prompt, tokens, does):
        rows = self.server.model.rows([*prompt, *tokens])
        told = [*prompt, *tokens] if body.get("echo") else list(tokens)
        rows = rows if body.get("echo") else rows[len(prompt) :]
        if body.get("echo") and does.rows not in ("echo", "echo by id"):  # as llama.cpp: the prompt's are passed over
            told, rows = list(tokens), rows[len(prompt) :]
        decode = self.server.model.backend.tokenizer.decode
        name = (lambda t: f"token_id:{t}") if does.rows == "echo by id" else (lambda t: decode([t]))
        return {
            "tokens": [name(token) for token in told],
            "token_logprobs": [row and row[0] for row in rows],
            "top_logprobs": [row and {"own": row[0], "best": row[3]} for row in rows],
            "text_offset": [0] * len(told),
        }

    def _stream(self, body, prompt):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _, token in self.server.model.streamed(prompt, body["max_tokens"]):
            ids = {"token_ids": [token]} if body.get("return_token_ids") else {}
            self._event({"choices": [{"index": 0, "text": "", "finish_reason": None, **ids}]})
        self._event({"choices": [], "usage": {"prompt_tokens": len(prompt), "completion_tokens": body["max_tokens"]}})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, event):
        self._chunk(f"data: {json.dumps(event)}\n\n".encode())

    def _chunk(self, data):
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _say(self, status, answer, headers=None, half=False):
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) // 2 if half else len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if half else data)
