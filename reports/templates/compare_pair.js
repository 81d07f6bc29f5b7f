// Two models of the page's data beside each other: which documents they have in common, or why they must not be compared.

const UNKNOWN_WAY = 255; // how a document was asked that kept no hash of its requests: equal to nothing
const decoded = new Map();

function bytes(data, number) {
  if (!decoded.has(number)) decoded.set(number, Uint8Array.from(atob(data.arrays[number]), (letter) => letter.charCodeAt(0)));
  return decoded.get(number);
}

const bit = (array, at) => (array[at >> 3] >> (at & 7)) & 1;
const grouped = (number) => number.toLocaleString("en-US");

// The rows of A beside B: what both have, by the metric that stands for it on A. p is adjusted over the rows.
function comparePair(data, a, b) {
  const ofB = new Map(b.tasks.map((task) => [task.task, task]));
  const rows = [];
  for (const name of new Set([...a.tasks.map((task) => task.task), ...a.failed])) {
    const ours = a.tasks.find((task) => task.task === name);
    const theirs = ofB.get(name);
    if (ours && theirs) rows.push(compareTask(data, ours, theirs));
    else if ((ours || theirs || b.failed.includes(name)) && (theirs || b.failed.includes(name))) rows.push(failedTask(name, ours, theirs));
  }
  const tested = rows.filter((row) => row.p !== undefined);
  holm(tested.map((row) => row.p)).forEach((p, at) => {
    tested[at].pHolm = p;
    tested[at].verdict = verdict(tested[at], p, 1 - data.confidence);
  });
  const has = (model) => new Set([...model.tasks.map((task) => task.task), ...model.failed]);
  const only = (one, other) => [...has(one)].filter((task) => !has(other).has(task));
  return { rows, onlyA: only(a, b), onlyB: only(b, a) };
}

function failedTask(task, ours, theirs) {
  const sides = [[ours, "A"], [theirs, "B"]].filter(([known]) => !known).map(([, name]) => `the newest run of ${name} failed`);
  return { task, metric: "", refused: sides.join("; "), runs: [ours?.run, theirs?.run] };
}

function verdict(row, p, alpha) {
  if (p >= alpha || row.difference === 0) return "no difference shown";
  if (row.better === 0) return row.difference > 0 ? "higher" : "lower";
  return row.difference > 0 === row.better > 0 ? "better" : "worse";
}

function compareTask(data, ours, theirs) {
  const common = ours.by.find((entry) => theirs.by.some((other) => other.key === entry.key));
  const first = common ?? ours.by[0];
  const second = theirs.by.find((other) => other.key === first.key);
  const [metric, filter] = data.keys[first.key];
  const row = { task: ours.task, metric: filter && filter !== "none" ? `${metric} (${filter})` : metric, runs: [ours.run, theirs.run], notes: [] };
  if (!second) return { ...row, refused: `B has no ${metric} (${filter})` };
  const unlike = otherConditions(data, ours, theirs);
  if (unlike) return { ...row, refused: unlike };
  const bare = [[first, "A"], [second, "B"]].filter(([entry]) => entry.bare).map(([, name]) => name).join(" and ");
  if (bare) return { ...row, refused: `the samples of ${bare} are not there, and without them nothing is paired (lm-eval keeps them with --log_samples)` };
  const missing = [first, second].find((entry) => entry.why !== undefined);
  if (missing) return { ...row, elsewhere: data.reasons[missing.why] };
  const found = counted(data, ours, first, second);
  const refused = refusal(found, ours, theirs);
  return refused ? { ...row, refused } : { ...row, ...tested(data, found, first, second), notes: notes(found, ours, theirs) };
}

// Shots, version, template and decoding must be equal where both are known.
function otherConditions(data, ours, theirs) {
  const told = new Map(theirs.as);
  for (const [words, value] of ours.as) {
    if (!told.has(words) || told.get(words) === value) continue;
    const [one, other] = [value, told.get(words)].map((at) => data.conditions[at].slice(0, 120));
    return `${data.words[words]}: ${one} against ${other}`;
  }
  return null;
}

// Counts over the documents: in common, right on either side, right on both, on one side alone, asked differently.
function counted(data, task, first, second) {
  const [right, there, ways] = ["right", "there", "ways"].map((name) =>
    [first, second].map((entry) => (entry[name] === undefined ? null : bytes(data, entry[name]))),
  );
  const found = { n: 0, a: 0, b: 0, both: 0, onlyA: 0, onlyB: 0, unlike: 0 };
  for (let at = 0; at < task.size; at++) {
    const inA = !there[0] || bit(there[0], at);
    const inB = !there[1] || bit(there[1], at);
    if (!inA || !inB) {
      found.onlyA += inA ? 1 : 0;
      found.onlyB += inB ? 1 : 0;
      continue;
    }
    const way = ways[0] ? ways[0][at] : (first.asked ?? 0);
    const other = ways[1] ? ways[1][at] : (second.asked ?? 0);
    found.unlike += way !== other || way === UNKNOWN_WAY ? 1 : 0;
    const [a, b] = [bit(right[0], at), bit(right[1], at)];
    found.n += 1;
    found.a += a;
    found.b += b;
    found.both += a & b;
  }
  return found;
}

function refusal(found, ours, theirs) {
  if (!found.n) return `not one of ${grouped(found.onlyA)} documents of A is among ${grouped(found.onlyB)} of B`;
  if (found.unlike) return `prompts differ: the requests of ${grouped(found.unlike)} of ${grouped(found.n)} documents are not the same`;
  for (const [whole, missing, here, there] of [[ours.whole, found.onlyB, "A", "B"], [theirs.whole, found.onlyA, "B", "A"]])
    if (whole && missing) return `the task's data differ: ${grouped(missing)} documents of ${there} are none of ${here}'s, which ran the whole task`;
  return null;
}

function notes(found, ours, theirs) {
  const told = [["A", found.onlyA], ["B", found.onlyB]]
    .filter(([, missing]) => missing)
    .map(([name, missing]) => `${grouped(found.n)} of ${grouped(found.n + missing)} documents of ${name} in common, the others left out`);
  if (ours.cut !== theirs.cut) told.push(`prompts were cut to fit the context: ${grouped(ours.cut)} of A, ${grouped(theirs.cut)} of B`);
  return told;
}

function tested(data, found, first, second) {
  const better = first.better ?? second.better ?? 1;
  const [onlyA, onlyB] = [found.a - found.both, found.b - found.both];
  const [lost, gained] = better < 0 ? [onlyB, onlyA] : [onlyA, onlyB];
  const fewer = second.n < first.n ? [second, first] : [first, second];
  const chance = fewer[0].chance ?? fewer[1].chance;
  const [lower, upper] = tangoInterval(onlyA, onlyB, found.n, data.quantile);
  return {
    n: found.n, a: found.a / found.n, b: found.b / found.n, difference: (found.b - found.a) / found.n, lower, upper, lost, gained, better,
    p: mcnemar(lost, gained),
    kept: chance === undefined || better !== 1 ? null : retained(found.n, found.a, found.b, found.both, chance, data.confidence),
  };
}
