"""From values straight to estimates: the sums that a record keeps, and the rule that is applied to them, in one call."""

import json
import math

from pydantic import TypeAdapter

from harness.stats.bootstrap import resampled_statistics
from harness.stats.derive import derive
from harness.stats.means import mean_statistics
from harness.stats.ratio_of_sums import ratio_of, ratio_statistics
from harness.stats.sufficient import Statistics

KEPT = TypeAdapter(Statistics | None)


def kept(statistics):
    """The statistics as a record on disk gives them back."""
    return KEPT.validate_python(json.loads(KEPT.dump_json(statistics)))


def estimate_of_mean(values, clusters=(), unit_interval=False, total=None, noise=None):
    known = mean_statistics(values, clusters, unit_interval)
    return derive(math.fsum(values) / len(values), len(values), kept(known), total, noise)


def estimate_of_ratio(pairs):
    return derive(ratio_of(pairs), len(pairs), kept(ratio_statistics(pairs)))


def estimate_by_bootstrap(items, aggregate, replicates=1000):
    known = resampled_statistics(items, aggregate, replicates, unit_interval=False)
    return derive(float(aggregate(items)), len(items), kept(known))
