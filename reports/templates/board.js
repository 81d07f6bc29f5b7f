"use strict";
// The board's tables as the other scripts see them, and what a person chose, which stands in the address.
const board = (() => {
  const form = document.getElementById("controls");
  const tables = [...document.querySelectorAll(".board table")].map((table) => {
    const heads = [...table.tHead.rows[0].cells];
    const bodies = [...table.tBodies].map((element) => ({ element, kind: element.dataset.kind, rows: [] }));
    const rows = [];
    for (const body of bodies) {
      for (const element of element_rows(body.element)) {
        const data = element.dataset;
        const row = { element, body, data, index: rows.length, cells: element.cells };
        row.speeds = [...element.querySelectorAll(".f[data-hw]")];
        row.words = `${element.cells[0].textContent} ${data.m} ${data.fam} ${body.kind}`.toLowerCase();
        rows.push(row);
        body.rows.push(row);
      }
    }
    const names = heads.map((head) => head.dataset.col);
    return { table, section: table.closest("section"), heads, names, bodies, rows };
  });

  function element_rows(body) {
    return [...body.rows].filter((row) => row.dataset.m !== undefined);
  }

  const fields = form ? [...form.elements].filter((field) => field.name) : [];
  const chosen = { sort: "", dir: "", hide: [], pin: [] };

  // The value of a filter, "" where nothing is chosen.
  function value(name) {
    const field = form.elements[name];
    if (!field) return "";
    return field.type === "checkbox" ? (field.checked ? "1" : "") : field.value.trim();
  }

  function remember() {
    const state = new URLSearchParams();
    for (const field of fields) if (value(field.name)) state.set(field.name, value(field.name));
    if (chosen.sort) (state.set("sort", chosen.sort), state.set("dir", chosen.dir));
    for (const name of chosen.hide) state.append("hide", name);
    for (const name of chosen.pin) state.append("pin", name);
    history.replaceState(null, "", "#" + state);
  }

  function recall() {
    const address = location.hash.slice(1);
    if (/^(note|group|run)-/.test(address) || address === "main") return;
    const state = new URLSearchParams(address);
    for (const field of fields) {
      const told = state.get(field.name) ?? "";
      if (field.type === "checkbox") field.checked = told === "1";
      else field.value = told;
      if (field.selectedIndex < 0) field.value = "";
    }
    const known = new Set(tables.flatMap((each) => each.names));
    chosen.sort = known.has(state.get("sort")) ? state.get("sort") : "";
    chosen.dir = state.get("dir") === "ascending" ? "ascending" : "descending";
    chosen.hide = state.getAll("hide").filter((name) => known.has(name));
    chosen.pin = state.getAll("pin");
  }

  // The figure of a cell that counts under the chosen source, and the number that it is sorted by.
  function counted(cell) {
    const source = value("src");
    return cell.querySelector(source ? `.f.${source}` : ".f");
  }

  function key(cell) {
    if (!cell.querySelector(".f")) return cell.dataset.k ?? "";
    const figure = [...cell.querySelectorAll(".f")].find(
      (each) => !each.hidden && (!value("src") || each.classList.contains(value("src"))),
    );
    if (!figure) return "";
    return (value("show") === "kept" && figure.dataset.hw === undefined ? figure.dataset.r : figure.dataset.k) ?? "";
  }

  return { form, tables, chosen, fields, value, remember, recall, counted, key };
})();
