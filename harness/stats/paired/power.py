"""What a comparison would find before it is run: of a true loss, the chance that a one-sided test at `alpha` sees it.

`discordant` is the share of documents that only one of the two runs has right, `loss` the true loss in the metric's own unit:
of all documents, (discordant + loss)/2 are lost and (discordant - loss)/2 gained. A loss cannot exceed `discordant`.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from harness.stats.paired.columns import within

NEGLIGIBLE = 1e-12
"""Numbers of changed documents as unlikely as this, on either side, are left out of a sum."""
WAVES = 500
"""Numbers of documents below the one found by halving that are looked at one by one."""
MOST = 10**7
"""Documents beyond which no number is sought."""


def paired_power(n: int, discordant: float, loss: float, alpha: float) -> float:
    """The chance that exact one-sided McNemar rejects at `alpha`, of `n` documents paired.

    Exact: summed over how many documents change, m ~ Binomial(n, discordant), the chance that the lost ones among them,
    Binomial(m, (1 + loss/discordant)/2), reach the smallest number that rejects (Miettinen, Biometrics 1968, 24:339;
    Connor, Biometrics 1987, 43:207, approximates it). 0.0 for n = 0 and for what cannot be: no documents change, or fewer than
    are lost. Raises ValueError for shares and an alpha that are none.
    """
    _shares(discordant, loss, alpha)
    if n < 1 or not _possible(discordant, loss):
        return 0.0
    return float(_powers(np.array([n]), discordant, loss, alpha)[0])


def paired_detectable(n: int, discordant: float, alpha: float, power: float) -> float | None:
    """The smallest true loss that `paired_power` finds with chance `power`; None where losing all that change is not found."""
    from scipy.optimize import brentq

    within(power, 0, 1, "power")

    def short(loss: float) -> float:
        return paired_power(n, discordant, loss, alpha) - power

    if short(discordant) < 0:
        return None
    if short(0.0) >= 0:
        return 0.0
    found: Any = brentq(short, 0.0, discordant, xtol=1e-9)
    return float(found)


def paired_needed(discordant: float, loss: float, alpha: float, power: float) -> int | None:
    """The smallest number of documents with which `paired_power` is `power` or more.

    More documents may do a little worse than fewer, as the exact test's true level goes up and down: found by halving, then
    by looking at each of the WAVES numbers below. None for a loss that cannot be, or of 0, or beyond MOST documents.
    """
    within(power, 0, 1, "power")
    _shares(discordant, loss, alpha)
    if loss <= 0 or not _possible(discordant, loss):
        return None
    enough = 1
    while paired_power(enough, discordant, loss, alpha) < power:
        enough *= 2
        if enough > MOST:
            return None
    few = enough // 2
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if paired_power(middle, discordant, loss, alpha) >= power else (middle, enough)
    below = np.arange(max(1, enough - WAVES), enough + 1)
    return int(below[_powers(below, discordant, loss, alpha) >= power][0])


def _powers(n: Any, discordant: float, loss: float, alpha: float) -> Any:
    """The power with each number of documents in `n`; [len(n)]. The test's own part is shared by all."""
    from scipy.stats import binom

    fewest: Any = binom.ppf(NEGLIGIBLE, n.min(), discordant)
    most: Any = binom.isf(NEGLIGIBLE, n.max(), discordant)
    changed = np.arange(fewest, most + 1)
    reject = binom.sf(critical(changed, alpha) - 1, changed, (1 + loss / discordant) / 2)
    return binom.pmf(changed, n[:, None], discordant) @ reject


def critical(changed: Any, alpha: float) -> Any:
    """How many of `changed` documents must be lost for exact one-sided McNemar to reject; more than there are if it cannot."""
    from scipy.stats import binom

    made = binom.isf(alpha, changed, 0.5) + 1
    made = np.where(binom.sf(made - 2, changed, 0.5) <= alpha, made - 1, made)  # isf may be one off in rounding
    return np.where(binom.sf(made - 1, changed, 0.5) > alpha, made + 1, made)


def unpaired_power(n: int, share: float, loss: float, alpha: float) -> float:
    """The chance that a one-sided z of two shares, `share` and `share - loss`, of `n` other documents each, rejects at `alpha`.

    Φ((loss·√n - z_α·√(2p̄q̄))/√(p₁q₁ + p₂q₂)) (Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions, 3rd ed.,
    ch. 4, solved for the power, without the correction for continuity). 0.0 for n = 0 and where loss exceeds share.
    """
    _shares(share, loss, alpha)
    if n < 1 or loss > share:
        return 0.0
    under, true = _spreads(share, loss)
    beyond = loss * math.sqrt(n) - NormalDist().inv_cdf(1 - alpha) * under
    return NormalDist().cdf(beyond / true) if true else float(beyond > 0)


def unpaired_needed(share: float, loss: float, alpha: float, power: float) -> int | None:
    """Documents of each that give `unpaired_power`: ((z_α·√(2p̄q̄) + z_power·√(p₁q₁ + p₂q₂))/loss)², rounded up.

    None for a loss of 0 and for one that exceeds share.
    """
    _shares(share, loss, alpha)
    within(power, 0, 1, "power")
    if not 0 < loss <= share:
        return None
    under, true = _spreads(share, loss)
    quantile = NormalDist().inv_cdf
    return max(1, math.ceil(((quantile(1 - alpha) * under + quantile(power) * true) / loss) ** 2))


def real_detectable(stderr: float | None, freedom: int, alpha: float, power: float) -> float | None:
    """The smallest true loss of a mean that its one-sided t at `alpha` finds with chance `power`, in the mean's own unit.

    stderr·δ, where the noncentral t of δ exceeds t's quantile with chance `power`. None where the error is None or 0: it tells
    of no spread, so of nothing that could be found.
    """
    from scipy.special import nctdtrinc, stdtrit

    within(alpha, 0, 1, "alpha")
    within(power, 0, 1, "power")
    if not stderr or freedom < 1:
        return None
    beyond: Any = nctdtrinc(freedom, 1 - power, stdtrit(freedom, 1 - alpha))
    return stderr * max(0.0, float(beyond))


def _shares(whole: float, loss: float, alpha: float) -> None:
    within(alpha, 0, 1, "alpha")
    if not (0 <= whole <= 1 and 0 <= loss <= 1):
        raise ValueError(f"{whole} and {loss} are no shares of documents")


def _possible(discordant: float, loss: float) -> bool:
    return discordant > 0 and loss <= discordant


def _spreads(share: float, loss: float) -> tuple[float, float]:
    """√(2p̄q̄) and √(p₁q₁ + p₂q₂)."""
    other = share - loss
    mean = (share + other) / 2
    return math.sqrt(2 * mean * (1 - mean)), math.sqrt(share * (1 - share) + other * (1 - other))
