"""Engines that generate, draw, stream or close wrongly."""

from __future__ import annotations

import threading
from dataclasses import replace

from support.faulty_engines import Engine, fault


@fault("sampled-by-default")
class SampledByDefault(Engine):
    def asked(self, requests):
        return [r if r.temperature else replace(r, temperature=1.0, seed=3) for r in requests]


@fault("default-length")
class DefaultLength(Engine):
    def asked(self, requests):
        return [replace(r, max_new_tokens=min(3, r.max_new_tokens)) for r in requests]


@fault("end-kept")
class EndKept(Engine):
    def made(self, request, generation):
        ended = generation.finish == "stop" and not request.stop
        return replace(generation, tokens=(*generation.tokens, self.tokenizer.eos_id)) if ended else generation


@fault("end-missed")
class EndMissed(Engine):
    def made(self, request, generation):
        left = request.max_new_tokens - len(generation.tokens)
        if generation.finish == "length" or request.stop:
            return generation
        on = [self.tokenizer.eos_id, *generation.tokens] * left
        return replace(generation, tokens=(*generation.tokens, *on[:left]), finish="length")


@fault("stop-ids-cut")
class StopIdsCut(Engine):
    def made(self, request, generation):
        text = self.tokenizer.decode(generation.tokens, skip_special_tokens=False)
        if not any(stop in text for stop in request.stop):
            return generation
        return replace(generation, tokens=generation.tokens[:-2])


@fault("seed-not-heeded")
class SeedNotHeeded(Engine):
    def asked(self, requests):
        return [replace(r, seed=0) for r in requests]


@fault("seed-of-the-batch")
class SeedOfTheBatch(Engine):
    def asked(self, requests):
        return [replace(r, seed=r.seed + len(requests)) for r in requests]


@fault("temperature-not-heeded")
class TemperatureNotHeeded(Engine):
    def asked(self, requests):
        return [replace(r, temperature=0.0) for r in requests]


@fault("stream-loses-tokens")
class StreamLosesTokens(Engine):
    def stream(self, feed, room, length, clock):
        for number, step in enumerate(super().stream(feed, room, length, clock)):
            yield replace(step, tokens=step.tokens[1:]) if number == 4 else step


@fault("stream-repeats-tokens")
class StreamRepeatsTokens(Engine):
    def stream(self, feed, room, length, clock):
        so_far: list[tuple[int, int]] = []
        for step in super().stream(feed, room, length, clock):
            so_far += step.tokens
            yield replace(step, tokens=tuple(so_far))


@fault("memory-kept")
class MemoryKept(Engine):
    def __init__(self, inner):
        super().__init__(inner)
        self.end = threading.Event()
        threading.Thread(target=self.end.wait, args=(60,), daemon=True).start()
