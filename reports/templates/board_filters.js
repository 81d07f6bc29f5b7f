// Which rows are shown, and in which order. Ranks are in the cells and stay as they are.
const filters = (() => {
  const { tables, chosen, value, key } = board;
  const number = (name) => (value(name) === "" ? null : Number(value(name)));

  // What is not known of a model keeps it out, unless it is asked to stay.
  function atLeast(told, least) {
    if (told === undefined) return value("unk") === "1";
    return Number(told) >= least;
  }

  function fits(data) {
    const { w, kv, st } = data;
    if (w === undefined || kv === undefined || st === undefined) return value("unk") === "1";
    const batch = number("b") ?? 1;
    return Number(w) + batch * ((number("at") ?? 4096) * Number(kv) + Number(st)) <= number("gb") * 1e9;
  }

  const tests = {
    kind: (row, wanted) => row.body.kind === wanted,
    hw: (row, wanted) =>
      wanted === "-" ? !row.data.hw : row.data.hw === wanted || row.speeds.some((each) => each.dataset.hw === wanted),
    be: (row, wanted) => row.data.be === wanted,
    dt: (row, wanted) => row.data.dt === wanted,
    fam: (row, wanted) => row.data.fam === wanted,
    lic: (row, wanted) => row.data.lic === wanted,
    ctx: (row, wanted) => atLeast(row.data.x, Number(wanted)),
    min: (row, wanted) => atLeast(row.data.p, Number(wanted) * 1e9),
    max: (row, wanted) => (row.data.p === undefined ? value("unk") === "1" : Number(row.data.p) <= Number(wanted) * 1e9),
    gb: (row) => fits(row.data),
    src: (row, wanted) => row.element.querySelector(`.f.${wanted}`) !== null,
  };

  // A word that no model has but a task has narrows the columns.
  function searched() {
    const words = value("q").toLowerCase().split(/\s+/).filter(Boolean);
    const rows = tables.flatMap((each) => each.rows);
    const ofModels = words.filter((word) => rows.some((row) => row.words.includes(word)));
    const ofTasks = words.filter((word) => !ofModels.includes(word) && tables.some((t) => t.heads.some((h) => named(h, word))));
    return { rows: words.filter((word) => !ofTasks.includes(word)), columns: ofTasks };
  }

  const named = (head, word) => "task" in head.dataset && head.textContent.toLowerCase().includes(word);

  // Columns that a word of the search or the picker leaves out, by name.
  function hidden(table, words) {
    const out = new Set(chosen.hide);
    if (words.length)
      for (const head of table.heads)
        if ("task" in head.dataset && !words.every((word) => named(head, word))) out.add(head.dataset.col);
    return out;
  }

  function passes(row, words, asked, table, out) {
    if (chosen.pin.includes(row.data.m)) return true;
    if (!words.every((word) => row.words.includes(word))) return false;
    if (!asked.every(([name, wanted]) => tests[name](row, wanted))) return false;
    if (value("full") !== "1") return true;
    return table.heads.every((head, at) => !("task" in head.dataset) || out.has(head.dataset.col) || key(row.cells[at]) !== "");
  }

  function order(table) {
    const at = table.names.indexOf(chosen.sort);
    const numeric = at > 0 && "n" in table.heads[at].dataset;
    const sign = chosen.dir === "ascending" ? 1 : -1;
    const keys = new Map(table.rows.map((row) => [row, at < 0 ? "" : at ? key(row.cells[at]) : row.words]));
    const pinned = (row) => (chosen.pin.includes(row.data.m) ? 0 : 1);
    const compare = (a, b) => {
      const [left, right] = [keys.get(a), keys.get(b)];
      if (left === right) return 0;
      if (left === "" || right === "") return left === "" ? 1 : -1; // what is missing comes last, either way
      return sign * (numeric ? Number(left) - Number(right) : left < right ? -1 : 1);
    };
    return (a, b) => pinned(a) - pinned(b) || (at < 0 ? 0 : compare(a, b)) || a.index - b.index;
  }

  let before = "";
  function sort() {
    const now = JSON.stringify([chosen.sort, chosen.dir, chosen.pin, value("show"), value("src"), value("hw")]);
    if (now === before) return;
    before = now;
    for (const table of tables) {
      const compare = order(table);
      for (const body of table.bodies) body.element.append(...[...body.rows].sort(compare).map((row) => row.element));
      for (const head of table.heads) {
        if (head.dataset.col === chosen.sort) head.setAttribute("aria-sort", chosen.dir);
        else head.removeAttribute("aria-sort");
      }
    }
  }

  function show() {
    const words = searched();
    const asked = Object.keys(tests).map((name) => [name, value(name)]).filter(([, wanted]) => wanted);
    let shown = 0;
    for (const table of tables) {
      const out = hidden(table, words.columns);
      columns.apply(table, out);
      table.section.dataset.show = value("show");
      table.section.dataset.src = value("src");
      for (const body of table.bodies) {
        let here = 0;
        for (const row of body.rows) {
          const hardware = value("hw");
          for (const each of row.speeds) each.hidden = hardware !== "" && hardware !== "-" && each.dataset.hw !== hardware;
          const kept = passes(row, words.rows, asked, table, out);
          row.element.hidden = !kept;
          here += kept;
        }
        body.element.hidden = here === 0;
        shown += here;
      }
    }
    sort();
    return shown;
  }

  return { show };
})();
