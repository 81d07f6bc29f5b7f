// Everything begins here: the filters appear, and the address says what is shown.
(() => {
  const { form, tables, chosen, fields, value } = board;
  if (!form || !tables.length) return;
  const count = document.getElementById("count");
  const all = tables.reduce((sum, table) => sum + table.rows.length, 0);
  const DEFAULTS = new Set(["at", "b", "unk"]); // they mean nothing alone

  function name(field) {
    const label = field.labels[0];
    const words = [...label.childNodes].filter((node) => node.nodeType === 3 || node.tagName === "SPAN");
    return words.map((node) => node.textContent).join("").trim();
  }

  function chips() {
    const active = fields.filter((field) => value(field.name) && !DEFAULTS.has(field.name) && field.name !== "show");
    document.getElementById("active").replaceChildren(
      ...active.map((field) => {
        const [item, button] = [document.createElement("li"), document.createElement("button")];
        const told = field.type === "checkbox" ? "" : `: ${field.selectedOptions?.[0].textContent ?? field.value}`;
        button.type = "button";
        button.textContent = `${name(field)}${told} ×`;
        button.setAttribute("aria-label", `Remove the filter ${name(field)}${told}`);
        button.addEventListener("click", () => {
          if (field.type === "checkbox") field.checked = false;
          else field.value = "";
          changed();
          form.elements.q.focus();
        });
        item.append(button);
        return item;
      }),
    );
    const folded = ["lic", "fam", "be", "dt", "ctx", "min", "max", "gb", "unk", "full"].filter((each) => value(each)).length;
    document.querySelector("#more summary").textContent = folded ? `Filters (${folded})` : "Filters";
    document.querySelector("#picker summary").textContent = chosen.hide.length ? `Columns (${chosen.hide.length} hidden)` : "Columns";
  }

  function show() {
    const shown = filters.show();
    pins.show();
    columns.tick();
    chips();
    const elsewhere = document.getElementById("elsewhere");
    if (elsewhere) {
      elsewhere.hidden = shown > 0 || !value("q");
      elsewhere.hash = new URLSearchParams({ q: value("q") });
    }
    count.value = shown === all ? `${all} rows` : `${shown} of ${all} rows`;
  }

  function changed() {
    show();
    board.remember();
  }

  async function copy(words, told) {
    count.value = (await copies.put(words)) ? told : "This browser does not let a page copy.";
  }

  columns.build(changed);
  pins.build(changed);
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => event.target.closest("#columns") || changed());
  form.addEventListener("reset", () => {
    Object.assign(chosen, { sort: "", dir: "", hide: [], pin: [] });
    setTimeout(changed); // the fields are empty after this event
  });
  document.getElementById("markdown").addEventListener("click", () => copy(copies.markdown(), "Copied as Markdown."));
  document.getElementById("csv").addEventListener("click", () => copy(copies.csv(), "Copied as CSV."));
  document.getElementById("address").addEventListener("click", () => copy(location.href, "Copied the link."));
  document.getElementById("save").addEventListener("click", () => copies.save(copies.csv(), "minizoo-board.csv"));
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#note-"], a[href^="#run-"]');
    if (!link) return;
    event.preventDefault(); // the address keeps the view
    const note = document.getElementById(link.getAttribute("href").slice(1));
    if (note.tagName === "DETAILS") note.open = true;
    note.tabIndex = -1;
    note.scrollIntoView({ block: "center" });
    note.focus({ preventScroll: true });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    event.preventDefault();
    form.elements.q.focus();
  });
  addEventListener("hashchange", () => (board.recall(), show()));
  board.recall();
  show();
})();
