"use strict";
// The page is complete without this script. It adds a search box and tables that can be sorted, and asks the network for nothing.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const plain = text => text.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();

  // What a cell is sorted by: its exact value, else its text. No data comes last in both directions.
  const key = (row, column) => {
    let cell = null;
    for (const each of row.cells) {
      if (column < each.colSpan) { cell = each; break; }
      column -= each.colSpan;
    }
    if (!cell || cell.colSpan > 1 || cell.querySelector(".none")) return null;
    const exact = cell.querySelector("data, time");
    if (exact) return exact.localName === "data" ? Number(exact.value) : exact.dateTime;
    return cell.classList.contains("n") ? null : plain(cell.textContent) || null;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });

  for (const table of all("table")) {
    const body = table.tBodies[0];
    if (!body || body.rows.length < 2) continue;
    all("thead th", table).forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const sign = head.ariaSort === "ascending" ? -1 : 1;
        all("thead th", table).forEach(each => each.removeAttribute("aria-sort"));
        head.ariaSort = sign > 0 ? "ascending" : "descending";
        const rows = [...body.rows].map(row => [key(row, column), row]);
        rows.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : sign * compare(a, b)));
        body.append(...rows.map(([, row]) => row));
      });
    });
  }

  const search = document.getElementById("search");
  const lists = all("[data-find]").map(list => ({
    list, items: all("tbody tr, li", list).map(item => [item, plain(item.textContent)]),
  }));
  if (search && lists.some(({ items }) => items.length > 1)) {
    const [input, found, opened] = [search.querySelector("input"), search.querySelector("output"), new Set()];
    const filter = () => {
      const wanted = plain(input.value);
      opened.forEach(each => { each.open = false; });
      opened.clear();
      const links = [];
      for (const { list, items } of lists) {
        const matching = items.filter(([item, text]) => item.classList.toggle("filtered", !text.includes(wanted)) === false).length;
        if (!wanted || !matching) continue;
        for (let each = list.closest("details"); each; each = each.parentElement.closest("details"))
          if (!each.open) { each.open = true; opened.add(each); }
        const link = document.createElement("a");
        link.href = `#${list.id}`;
        link.textContent = `${matching.toLocaleString("en")} in ${list.dataset.find}`;
        links.push(link);
      }
      found.replaceChildren(...(wanted ? links.length ? ["Found: ", ...links.flatMap((link, n) => n ? [", ", link] : [link])] : ["Nothing found."] : []));
    };
    search.hidden = false;
    input.addEventListener("input", filter);
    filter();
  }

  // Paper shows what is folded away. The style sheet does that where the browser knows ::details-content.
  if (!CSS.supports("selector(::details-content)")) {
    let closed = [];
    addEventListener("beforeprint", () => { closed = all("details:not([open])"); closed.forEach(each => { each.open = true; }); });
    addEventListener("afterprint", () => closed.forEach(each => { each.open = false; }));
  }
})();
