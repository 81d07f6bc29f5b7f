// Any two models, chosen by hand: the table, the way there in the address, and what to run for more.
(() => {
  const source = document.getElementById("data");
  const form = document.getElementById("pair");
  if (!source || !form) return;
  const data = JSON.parse(source.textContent);
  const byName = new Map(data.models.map((model) => [model.id, model]));
  const [one, other] = ["a", "b"].map((id) => document.getElementById(id));
  const result = document.getElementById("result");
  const status = document.getElementById("status");
  const SMALLEST = 1e-4;

  // As Python writes so many decimals: a number that lies midway goes to the even digit.
  function fixed(value, digits) {
    const whole = Math.abs(value).toFixed(digits);
    const exact = Math.abs(value).toFixed(60);
    const cut = exact.slice(0, exact.indexOf(".") + 1 + digits);
    const midway = /^50*$/.test(exact.slice(cut.length));
    const even = midway && Number(cut.at(-1)) % 2 === 0 ? cut : whole;
    return (value < 0 || Object.is(value, -0) ? "-" : "") + even;
  }

  const signed = (value) => (value < 0 || Object.is(value, -0) ? "" : "+") + fixed(value, 4);
  const chance = (p) => (p < SMALLEST ? "<0.0001" : String(Number(p.toPrecision(2))));
  const percent = (share) => fixed(100 * share, 1);

  function keptWords(kept) {
    if (!kept) return "–";
    return kept.lower === null ? "A at chance" : `${percent(kept.value)} % (${percent(kept.lower)} – ${percent(kept.upper)})`;
  }

  function made(tag, text, options = {}) {
    const element = document.createElement(tag);
    element.textContent = text;
    for (const [name, value] of Object.entries(options)) element.setAttribute(name, value);
    return element;
  }

  function linked(text, run) {
    const cell = made("td", "", { class: "number" });
    cell.append(run === undefined ? text : made("a", text, { href: data.runs[run] }));
    return cell;
  }

  function line(row) {
    const element = made("tr", "", { class: row.refused || row.elsewhere ? "refused" : row.verdict.split(" ")[0] });
    element.append(made("th", row.task, { scope: "row" }), made("td", row.metric));
    const absent = (text) => made("td", text, { class: "number" });
    if (row.p === undefined) {
      for (let at = 0; at < 9; at++) element.append(absent("–"));
      element.append(made("td", row.elsewhere ? "not here" : "refused", { class: "so" }));
      return element;
    }
    element.append(
      absent(row.n.toLocaleString("en-US")), linked(fixed(row.a, 4), row.runs[0]), linked(fixed(row.b, 4), row.runs[1]),
      absent(signed(row.difference)), absent(`${signed(row.lower)} … ${signed(row.upper)}`), absent(chance(row.pHolm)),
      absent(String(row.lost)), absent(String(row.gained)), absent(keptWords(row.kept)), made("td", row.verdict, { class: "so" }),
    );
    return element;
  }

  // A command as a shell takes it, in quotes where a name has more than plain letters.
  const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\"'\"'")}'`);

  function told(found, a, b) {
    const lines = [];
    for (const row of found.rows) {
      if (row.refused) lines.push(`${row.task} refused: ${row.refused}.`);
      if (row.elsewhere) lines.push(`${row.task} is not compared here: ${row.elsewhere}. The command below tells more.`);
      for (const note of row.notes ?? []) lines.push(`${row.task}: ${note}.`);
    }
    for (const [name, tasks] of [["A", found.onlyA], ["B", found.onlyB]])
      if (tasks.length) lines.push(`Only ${name} has ${tasks.join(", ")}.`);
    return lines;
  }

  function sentence(found) {
    const rows = found.rows.filter((row) => row.p !== undefined);
    if (!found.rows.length) return "The two have no task in common.";
    if (!rows.length) return "Nothing was compared.";
    const counts = ["worse", "better", "lower", "higher", "no difference shown"]
      .map((word) => [word, rows.filter((row) => row.verdict === word).length])
      .filter(([, number]) => number);
    return `Of ${rows.length} task${rows.length === 1 ? "" : "s"} compared, B is ${counts.map(([word, number]) => (word.startsWith("no") ? `not shown to differ on ${number}` : `${word} on ${number}`)).join(", ")}.`;
  }

  function show() {
    const [a, b] = [byName.get(one.value), byName.get(other.value)];
    result.hidden = !a || !b || a === b;
    if (result.hidden) {
      status.textContent = a && a === b ? "Choose two different models." : "";
      return;
    }
    const found = comparePair(data, a, b);
    status.textContent = sentence(found);
    result.querySelector("h2").textContent = `${b.label} (B) beside ${a.label} (A)`;
    result.querySelector("tbody").replaceChildren(...found.rows.map(line));
    result.querySelector(".scroll").hidden = !found.rows.length;
    result.querySelector("ul").replaceChildren(...told(found, a, b).map((text) => made("li", text)));
    result.querySelector("pre").textContent = `minizoo compare ${quoted(a.id)} ${quoted(b.id)} --show-flips`;
    const own = data.pages.find(([first, second]) => first === a.id && second === b.id);
    const link = result.querySelector("p.own");
    link.hidden = !own;
    if (own) link.querySelector("a").setAttribute("href", own[2]);
  }

  function write() {
    history.replaceState(null, "", `#a=${encodeURIComponent(one.value)}&b=${encodeURIComponent(other.value)}`);
    show();
  }

  function read() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    for (const [select, name] of [[one, "a"], [other, "b"]]) {
      const value = wanted.get(name) ?? "";
      select.value = byName.has(value) ? value : "";
    }
    const lost = ["a", "b"].map((name) => wanted.get(name)).filter((value) => value && !byName.has(value));
    show();
    if (lost.length) status.textContent = `${lost.map((name) => name.slice(0, 80)).join(" and ")} cannot be compared here.`;
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  for (const select of [one, other]) select.addEventListener("change", write);
  document.getElementById("swap").addEventListener("click", () => {
    [one.value, other.value] = [other.value, one.value];
    write();
  });
  addEventListener("hashchange", read);
  form.hidden = false;
  read();
})();
