"use strict";
/* The search over the list: every word must be found in a line. What is searched for stands in the address as #q=. */
(() => {
  const form = document.getElementById("search");
  const box = document.getElementById("q");
  const found = document.getElementById("found");
  const tables = [...document.querySelectorAll("table.grid")];
  const nouns = { models: "model", tasks: "task", others: "other" };

  function asked() {
    return new URLSearchParams(location.hash.slice(1)).get("q") || "";
  }

  function told(count, noun) {
    return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
  }

  function filter() {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const counts = [];
    for (const table of tables) {
      let shown = 0;
      for (const body of table.tBodies) {
        let here = 0;
        for (const row of body.rows) {
          if (row.classList.contains("group")) continue;
          row.hidden = !words.every((word) => row.dataset.words.includes(word));
          here += row.hidden ? 0 : 1;
        }
        body.hidden = here === 0;
        shown += here;
      }
      table.closest(".scroll").hidden = shown === 0;
      if (shown || table.id !== "others") counts.push(told(shown, nouns[table.id]));
    }
    found.textContent = counts.join(", ");
  }

  function keep() {
    const state = box.value ? `#${new URLSearchParams({ q: box.value })}` : location.pathname;
    try { history.replaceState(null, "", state); } catch { location.hash = box.value ? state : ""; }
  }

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  box.addEventListener("input", () => { filter(); keep(); });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && box.value) { box.value = ""; filter(); keep(); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement === document.body) { event.preventDefault(); box.focus(); }
  });
  addEventListener("hashchange", () => { box.value = asked(); filter(); });
  box.value = asked();
  filter();
})();
