"""The tokens of drawn texts are HFLM's, whatever the tokenizer puts around a text and whatever the arguments say of it."""

import copy
import random

import pytest
from support.drop_in import generation, instance
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer

from backends.tokenizer import HfTokenizer
from harness.lmeval.answering import asked_of
from harness.lmeval.encoding import Encoder
from zoo.errors import PromptImpossible, PromptTooLong

PIECES = ["Once", "upon ", " a", "\n", " ", "<s>", "</s>", "the dog.", "  ", "Ünï", "\t", ""]
AROUND = {"own": None, "both": "<s> $A </s>", "end": "$A </s>", "none": "$A", "end, without BOS": "$A </s>"}
"""What stands around a text: the tokenizer's own rule, or a template."""
CONTEXT, NEW, DRAWN = 20, 5, 60


def tokenizer_of(stories, around):
    made = AutoTokenizer.from_pretrained(stories)
    if (template := AROUND[around]) is not None:
        special = [(token, made.convert_tokens_to_ids(token)) for token in ("<s>", "</s>") if token in template]
        made.backend_tokenizer.post_processor = TemplateProcessing(single=template, special_tokens=special)
    if around == "end, without BOS":
        made.bos_token = None
    return made


class Theirs:
    """HFLM's own methods over a tokenizer, without a model."""

    def __init__(self, tokenizer, add_bos, prefix):
        from lm_eval.models.huggingface import HFLM

        self._hflm = lm = HFLM.__new__(HFLM)
        lm.tokenizer, lm.add_bos_token, lm.custom_prefix_token_id = copy.deepcopy(tokenizer), add_bos, prefix
        lm.tokenizer.pad_token = "<unk>"
        lm.enable_thinking = None

    def pair(self, asked):
        """Context and continuation, cut as `HFLM._loglikelihood_tokens` does; None where it raises."""
        found = []
        self._hflm._loglikelihood_tokens = lambda requests, disable_tqdm: found.extend(requests)
        try:
            self._hflm.loglikelihood([asked], disable_tqdm=True)
        except IndexError:
            return None
        ((_, context, continuation),) = found
        if not context or not continuation or len(continuation) > CONTEXT:
            return None
        whole = tuple(context + continuation)[-(CONTEXT + 1) :]
        return whole[: -len(continuation)], whole[-len(continuation) :]

    def prompt(self, text):
        return tuple(self._hflm.tok_batch_encode([text], left_truncate_len=CONTEXT - NEW)[0][0].tolist())


@pytest.mark.parametrize("prefix", [None, 7])
@pytest.mark.parametrize("add_bos", [None, True, False])
@pytest.mark.parametrize("around", AROUND)
def test_tokens_are_hflms(stories, around, add_bos, prefix):
    tokenizer = tokenizer_of(stories, around)
    theirs = Theirs(tokenizer, add_bos, prefix)
    encoder = Encoder(HfTokenizer.of(tokenizer), CONTEXT, 0, prefix, add_bos)
    draw = random.Random(f"{around}{add_bos}{prefix}")
    for _ in range(DRAWN):
        context, ending = ("".join(draw.choices(PIECES, k=draw.randint(0, most))) for most in (6, 4))
        scored = instance("loglikelihood", context, ending)
        expected = theirs.pair(scored)
        if expected is None and context and not context.strip():
            continue  # HFLM has no token to condition on; ours takes the prefix, as for an empty context
        assert pair_of(encoder, scored) == expected, (context, ending)
        if prompt := theirs.prompt(context):
            (unit,) = encoder.encode(asked_of([generation(context, max_gen_toks=NEW)]))[0]
            assert unit.request.prompt == prompt, context


def pair_of(encoder, asked):
    try:
        (unit,) = encoder.encode(asked_of([asked]))[0]
    except (PromptImpossible, PromptTooLong):
        return None
    return unit.request.context, unit.request.continuation
