"use strict";
// Sorting and filtering of the score table. The state is in the address, so that a link shows the same view.
(() => {
  const table = document.getElementById("scores");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows].map((element, index) => ({
    element,
    index,
    words: element.textContent.toLowerCase(),
  }));
  const heads = [...table.tHead.rows[0].cells];
  const column = Object.fromEntries(heads.map((head, index) => [head.dataset.column, index]));
  const form = document.getElementById("controls");
  const search = document.getElementById("q");
  const choices = ["model", "suite", "source"].map((name) => document.getElementById(name));
  let order = { sort: "", dir: "" };

  const cell = (row, name) => row.element.cells[column[name]];
  const key = (row, name) => cell(row, name).dataset.key ?? cell(row, name).textContent.trim();

  const initial = (choice) => [...choice.options].find((option) => option.defaultSelected)?.value ?? "";

  function compare(a, b) {
    const [left, right] = [key(a, order.sort), key(b, order.sort)];
    if (!left || !right) return !left - !right; // what is absent comes last, either way
    const numeric = "numeric" in heads[column[order.sort]].dataset;
    const difference = numeric ? Number(left) - Number(right) : left < right ? -1 : left > right ? 1 : 0;
    return order.dir === "descending" ? -difference : difference;
  }

  function show() {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const kept =
        wanted.every((word) => row.words.includes(word)) &&
        choices.every((choice) => !choice.value || cell(row, choice.id).textContent === choice.value);
      row.element.hidden = !kept;
      shown += kept;
    }
    rows.sort(order.sort ? (a, b) => compare(a, b) || a.index - b.index : (a, b) => a.index - b.index);
    body.append(...rows.map((row) => row.element));
    for (const head of heads) {
      if (head.dataset.column === order.sort) head.setAttribute("aria-sort", order.dir);
      else head.removeAttribute("aria-sort");
    }
    document.getElementById("count").value = `${shown} of ${rows.length} scores`;
  }

  function remember() {
    const typed = Object.entries({ q: search.value, ...order }).filter(([, value]) => value);
    const chosen = choices.filter((choice) => choice.value !== initial(choice)).map((choice) => [choice.id, choice.value]);
    history.replaceState(null, "", "#" + new URLSearchParams([...typed, ...chosen]));
  }

  function recall() {
    const address = location.hash.slice(1);
    if (address.startsWith("run-")) open(address);
    const state = new URLSearchParams(address);
    search.value = state.get("q") ?? "";
    for (const choice of choices) {
      choice.value = state.get(choice.id) ?? initial(choice);
      if (choice.selectedIndex < 0) choice.value = initial(choice);
    }
    const dir = state.get("dir") === "descending" ? "descending" : "ascending";
    const sort = state.get("sort") ?? "";
    order = Object.hasOwn(column, sort) ? { sort, dir } : { sort: "", dir: "" };
    show();
  }

  function open(id) {
    const run = document.getElementById(id);
    if (!run) return;
    run.open = true;
    run.scrollIntoView({ block: "center" });
  }

  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const first = "numeric" in head.dataset || head.dataset.column === "date" ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      order = { sort: head.dataset.column, dir: head.getAttribute("aria-sort") === first ? other : first };
      show();
      remember();
    });
  }
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => (show(), remember()));
  form.addEventListener("reset", () => {
    order = { sort: "", dir: "" };
    setTimeout(() => (show(), remember())); // the fields are empty after this event
  });
  body.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#run-"]');
    if (!link) return;
    event.preventDefault(); // the address keeps the view
    open(link.getAttribute("href").slice(1));
  });
  addEventListener("hashchange", recall);
  recall();
})();
