"use strict";
// The arithmetic of two models over the same documents, each right or wrong: what harness/stats/paired does in Python.

// McNemar, exact and two-sided: each changed document is lost or gained with chance 1/2.
function mcnemar(lost, gained) {
  const changed = lost + gained;
  const few = Math.min(lost, gained);
  let log = -changed * Math.LN2;
  for (let i = 1; i <= few; i++) log += Math.log((changed - i + 1) / i);
  let term = Math.exp(log); // P(few), from which the smaller ones follow
  let tail = 0;
  for (let k = few; k >= 0; k--) {
    tail += term;
    term *= k / (changed - k + 1);
  }
  return Math.min(1, 2 * tail);
}

// Tango's score statistic of the hypothesis that the difference of two shares is `nul`.
function tangoScore(lost, gained, n, nul) {
  const beyond = gained - lost - n * nul;
  if (beyond === 0) return 0;
  const b = (2 * n - gained + lost) * nul - lost - gained;
  const c = -lost * nul * (1 - nul);
  const root = c === 0 ? Math.abs(b) : Math.sqrt(Math.max(b * b - 8 * n * c, 0));
  const likely = b > 0 ? (-2 * c) / (b + root) : (root - b) / (4 * n);
  const variance = Math.max(2 * likely + nul * (1 - nul), Math.abs(nul) * (1 - Math.abs(nul)));
  return beyond / Math.sqrt(n * variance);
}

// Where f changes its sign between a place where it is above 0 and one where it is not.
function crossing(f, above, below) {
  for (let i = 0; i < 200 && Math.abs(above - below) > 1e-13; i++) {
    const middle = (above + below) / 2;
    if (f(middle) > 0) above = middle;
    else below = middle;
  }
  return (above + below) / 2;
}

// The differences that the score statistic does not reject: Tango's interval.
function tangoInterval(lost, gained, n, quantile) {
  const value = (gained - lost) / n;
  const end = (limit, sign) => {
    const beyond = (nul) => sign * tangoScore(lost, gained, n, nul) - quantile;
    return beyond(limit) <= 0 ? limit : crossing(beyond, limit, value);
  };
  return [end(-1, 1), end(1, -1)];
}

// P(|T| <= t) of Student's t with whole degrees of freedom (Abramowitz and Stegun, 26.7.3 and 26.7.4).
function studentWithin(t, freedom) {
  const angle = Math.atan(t / Math.sqrt(freedom));
  const square = Math.cos(angle) ** 2;
  const odd = freedom % 2;
  let term = odd ? Math.cos(angle) : 1;
  let sum = freedom > 1 ? term : 0;
  for (let k = odd ? 3 : 2; k <= freedom - 2 && term > 1e-18 * sum; k += 2) {
    term *= (square * (k - 1)) / k;
    sum += term;
  }
  return odd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
}

function studentQuantile(freedom, confidence) {
  return crossing((t) => studentWithin(t, freedom) - confidence, 1e3, 0);
}

// How much of A's share above chance B keeps, with Fieller's interval; null where A is not above chance.
function retained(n, rightA, rightB, rightBoth, chance, confidence) {
  const [a, b] = [rightA / n, rightB / n];
  const [above, kept] = [a - chance, b - chance];
  if (above <= 0) return null;
  const found = { value: kept / above, lower: null, upper: null };
  if (n < 2) return found;
  const factor = (studentQuantile(n - 1, confidence) ** 2 * n) / (n - 1);
  const square = above ** 2 - (factor * a * (1 - a)) / n;
  if (square <= 0) return found;
  const half = above * kept - (factor * (rightBoth / n - a * b)) / n;
  const rest = kept ** 2 - (factor * b * (1 - b)) / n;
  const root = Math.sqrt(Math.max(0, half ** 2 - square * rest));
  return { value: found.value, lower: (half - root) / square, upper: (half + root) / square };
}

// p-values adjusted so that one false alarm among all is as rare as a single test's (Holm).
function holm(values) {
  const order = values.map((_, at) => at).sort((x, y) => values[x] - values[y]);
  const adjusted = [];
  let reached = 0;
  order.forEach((at, rank) => {
    reached = Math.max(reached, Math.min(1, (values.length - rank) * values[at]));
    adjusted[at] = reached;
  });
  return adjusted;
}
