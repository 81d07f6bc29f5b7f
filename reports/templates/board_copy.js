// What is shown, as Markdown (a table as it stands) and as CSV (a line a figure).
const copies = (() => {
  const { tables, counted, value } = board;
  const shown = (table) => table.bodies.flatMap((body) => [...body.element.rows].filter((row) => row.dataset.m && !row.hidden));
  const plain = (element) => (element ? element.textContent.replace(/\s+/g, " ").trim() : "");

  function heading(head) {
    const [name, details] = [plain(head.querySelector("span") ?? head), plain(head.querySelector("small"))];
    return details ? `${name} (${details})` : name;
  }

  // The name of a row's model without its button and small print.
  function model(row) {
    const head = row.cells[0];
    const words = [...head.childNodes].filter((node) => node.nodeName !== "BUTTON" && node.nodeName !== "SMALL");
    return words.map((node) => node.textContent).join("").replace(/\s+/g, " ").trim();
  }

  function parts(figure) {
    return {
      value: plain(figure.querySelector(".value")),
      interval: plain(figure.querySelector(".i")),
      rank: plain(figure.querySelector(".rank")),
      part: plain(figure.querySelector(".part")),
      kept: plain(figure.querySelector(".kept")),
      raw: figure.querySelector(".kept")?.dataset.raw ?? "",
      source: plain(figure.querySelector(".source")),
    };
  }

  function cellText(cell) {
    const figure = counted(cell);
    if (!figure) return cell.querySelector(".f") ? "–" : plain(cell.firstChild) || "–";
    const { value: score, interval, part, kept, source } = parts(figure);
    const told = [interval && `${score} [${interval}]`, part, kept && `retained ${kept}`, source].filter(Boolean);
    return (interval ? "" : `${score}, `) + told.join(", ");
  }

  const escaped = (words) => words.replace(/[\\|`*_<>[\]]/g, "\\$&");

  function markdown() {
    const made = tables.map((table) => {
      const at = table.heads.map((head, index) => index).filter((index) => !table.heads[index].hidden);
      const rows = shown(table);
      if (!rows.length) return "";
      const lines = [
        at.map((index) => escaped(heading(table.heads[index]))),
        at.map((index) => ("n" in table.heads[index].dataset ? "---:" : "---")),
        ...rows.map((row) => at.map((index) => escaped(index ? cellText(row.cells[index]) : `${model(row)} ${plain(row.cells[0].querySelector("small"))}`))),
      ];
      const title = plain(table.section.querySelector("h2"));
      return `**${title}**\n\n${lines.map((line) => `| ${line.join(" | ")} |`).join("\n")}\n`;
    });
    return made.filter(Boolean).join("\n");
  }

  // A text that a spreadsheet would take for a formula gets an apostrophe.
  function field(words) {
    const safe = /^[=+@\t\r-]/.test(words) && !/^-?[\d.]+(e-?\d+)?$/.test(words) ? `'${words}` : words;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  const NAMES = ["group", "kind", "model", "backend", "dtype", "hardware", "task", "details", "source", "value", "interval", "rank", "part", "retained", "raw"];
  function csv() {
    const lines = [NAMES];
    for (const table of tables) {
      for (const row of shown(table)) {
        const who = [table.section.dataset.group, row.parentElement.dataset.kind, row.dataset.m];
        const way = [row.dataset.be ?? "", row.dataset.dt ?? "", row.dataset.hw ?? ""];
        table.heads.forEach((head, at) => {
          if (!("task" in head.dataset) || head.hidden) return;
          for (const figure of row.cells[at].querySelectorAll(value("src") ? `.f.${value("src")}` : ".f")) {
            const told = parts(figure);
            const task = [plain(head.querySelector("span")).replace(/ [↑↓]$/, ""), plain(head.querySelector("small"))];
            const numbers = [figure.dataset.v ?? "", told.interval, told.rank, told.part, told.kept, told.raw];
            lines.push([...who, ...way, ...task, told.source, ...numbers]);
          }
        });
      }
    }
    return lines.map((line) => line.map(field).join(",")).join("\r\n") + "\r\n";
  }

  async function put(words) {
    try {
      await navigator.clipboard.writeText(words);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = words;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }

  function save(words, name) {
    const link = document.createElement("a");
    link.href = `data:text/csv;charset=utf-8,${encodeURIComponent(words)}`;
    link.download = name;
    link.click();
  }

  return { markdown, csv, put, save };
})();
