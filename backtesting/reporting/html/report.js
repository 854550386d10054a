"use strict";
(() => {
  function sorted(table, column, descending) {
    const key = row => {
      const text = row.cells[column].textContent;
      const number = Number(text.replaceAll(",", ""));
      return text === "" || Number.isNaN(number) ? text : number;
    };
    const compare = (a, b) => typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1;
    const rows = [...table.tBodies[0].rows].map(row => [key(row), row]).sort(([a], [b]) => descending ? compare(b, a) : compare(a, b));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column, heads) => {
      const button = document.createElement("button");
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const descending = head.getAttribute("aria-sort") === "ascending";
        heads.forEach(each => each.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        sorted(table, column, descending);
      });
    });
  }

  drawCurves(JSON.parse(document.getElementById("data").textContent));
})();
