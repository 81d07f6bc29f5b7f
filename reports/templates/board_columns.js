// The column picker and the headings that sort.
const columns = (() => {
  const { tables, chosen } = board;
  const applied = new Map();

  function apply(table, out) {
    const now = JSON.stringify([...out].sort());
    if (applied.get(table) === now || (!applied.has(table) && !out.size)) return;
    applied.set(table, now);
    table.names.forEach((name, at) => {
      if (!at) return; // the model's name stays
      const hidden = out.has(name);
      table.heads[at].hidden = hidden;
      for (const row of table.rows) row.cells[at].hidden = hidden;
    });
  }

  const title = (head) => head.querySelector("button > span, :scope > span")?.textContent ?? head.textContent;

  function build(changed) {
    const place = document.getElementById("columns");
    const seen = new Set(["model"]);
    for (const table of tables) {
      for (const head of table.heads) {
        const name = head.dataset.col;
        if (seen.has(name)) continue;
        seen.add(name);
        const label = document.createElement("label");
        const box = document.createElement("input");
        const details = head.querySelector("small");
        label.className = "tick";
        box.type = "checkbox";
        box.value = name;
        const words = title(head).trim() + ("task" in head.dataset && details ? ` (${details.textContent})` : "");
        label.append(box, ` ${words}`);
        box.addEventListener("change", () => {
          chosen.hide = box.checked ? chosen.hide.filter((each) => each !== name) : [...chosen.hide, name];
          changed();
        });
        place.append(label);
      }
    }
    tables.forEach((table) => table.heads.forEach((head) => heading(head, changed)));
  }

  function heading(head, changed) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const first = "n" in head.dataset && !("low" in head.dataset) ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    button.addEventListener("click", () => {
      const name = head.dataset.col;
      if (chosen.sort !== name) [chosen.sort, chosen.dir] = [name, first];
      else if (chosen.dir === first) chosen.dir = second;
      else [chosen.sort, chosen.dir] = ["", ""]; // a third time: the board's own order
      changed();
    });
  }

  function tick() {
    for (const box of document.querySelectorAll("#columns input")) box.checked = !chosen.hide.includes(box.value);
  }

  return { apply, build, tick };
})();
