"""What a simulated night is, in sentences for the certificate."""

from __future__ import annotations

from benchmarks.nights import plan

ASSUMED = (
    "Right or wrong (MMLU, HellaSwag, Winogrande, ARC-C, GSM8K, MBPP, HumanEval), item by item: a document has a margin, "
    f"normal with standard deviation {plan.MARGIN_SD:g} nats around 0, and a perturbation of its own size (log-normal, "
    f"{plan.SPREAD:g}), drawn anew each night. It is right where margin and perturbation are above 0. The size is set so that "
    "two runs disagree in 2, 4 or 10 % of the documents. MBPP and HumanEval are greedy here, one answer a problem.",
    "The baseline is one such run, kept for 20 nights; each series has new documents. Margins lie symmetrically around 0, so "
    "that noise of any size takes as many right answers as it gives, in expectation: what noise takes from real accuracy "
    "would be a loss, not a false alarm. How many are right has no part in a paired test.",
    "The change of the gold log-probability is the document's perturbation, so it goes with the flips; its tails are those of "
    "documents that shake more than others.",
    "TruthfulQA's mass is the logistic function of margin and perturbation. Of XL-Sum's texts five times the discordant share "
    "change, and their overlap moves by a Laplace draw of scale 0.05. Both are tested by t, as the gate does.",
    f"{plan.HEAVY_SHARE:.0%} of a GPU's nights are heavy: perturbations twice as large, trials twice as noisy with the tails "
    f"of Student's t of {plan.HEAVY_FREEDOM} degrees, and slower by an exponential of mean {plan.HEAVY_SLOWDOWN:.0%}, canary "
    "and candidate alike.",
    f"Speed, trial by trial, in turn with a canary: a level for each night (AR(1), {plan.AUTOCORRELATION:g}, standard "
    f"deviation that of a trial), a drift of up to ± {plan.DRIFT:.0%} in the course of the night, normal noise of a trial (1 "
    f"or 3 %), and {plan.OUTLIERS:.0%} of single trials slower by 5 to 50 %. Level, drift and slowness are common to both "
    "sides; noise and outliers are not. The canary's trial always comes first, so drift puts a small bias into every pair.",
    "A loss of one point is planted in two ways: every margin falls by the same, or few documents fall by 4 nats each.",
    "Tests are minizoo's own (`harness.stats.paired`), the policy is the shipped one: alpha of accuracy, gold and speed, gold "
    "margins, margins of release. A family alarms where its smallest p reaches alpha over its number of tests, which is "
    "Holm's first step. Nothing is simulated by sums alone: p-values come from the drawn documents and trials.",
    "HellaSwag's exact test by sources is computed where z is below -2.8; above, its p is over 0.002 and no alarm. Sources "
    "have one to five documents in turn.",
)
BEYOND = (
    "Perturbations of different documents are independent. A kernel that errs in one direction is no noise but a bias: "
    "`minizoo gate --calibrate N` measures it, and a gold margin is widened to twice what identical code was seen to fall.",
    "Baselines of different GPUs are independent draws; the documents of one model are the same on all four.",
    "Sampled answers (pass@1 of 20), which vary less than one answer a problem does.",
)
