// Pinned models stay on top of their kind, whatever is filtered, and two of them can be compared.
const pins = (() => {
  const { form, tables, chosen } = board;
  const buttons = [];

  function build(changed) {
    for (const row of tables.flatMap((each) => each.rows)) {
      const button = document.createElement("button");
      const head = row.cells[0];
      const name = (head.querySelector("a") ?? head).firstChild.textContent.trim();
      button.type = "button";
      button.className = "pin";
      button.setAttribute("aria-label", `Pin ${name}`);
      button.addEventListener("click", () => {
        const model = row.data.m;
        chosen.pin = chosen.pin.includes(model) ? chosen.pin.filter((each) => each !== model) : [...chosen.pin, model];
        changed();
        button.focus();
      });
      head.prepend(button);
      buttons.push([button, row]);
    }
  }

  function show() {
    for (const [button, row] of buttons) {
      const pinned = chosen.pin.includes(row.data.m);
      if (button.getAttribute("aria-pressed") === String(pinned)) continue;
      button.setAttribute("aria-pressed", pinned);
      button.textContent = pinned ? "★" : "☆";
      row.element.classList.toggle("pinned", pinned);
    }
    const link = document.getElementById("compare");
    const [a, b] = chosen.pin;
    link.hidden = !b || !form.dataset.compare;
    if (link.hidden) return;
    link.href = `${form.dataset.compare}#${new URLSearchParams({ a, b })}`;
    link.textContent = `Compare ${a} with ${b}`;
  }

  return { build, show };
})();
