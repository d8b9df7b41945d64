"use strict";
// Without it the page is complete: it only makes tables sort and lists filter.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    header.replaceChildren(button);
    button.addEventListener("click", () => {
      const numbers = table.tBodies[0].rows[0].cells[column].classList.contains("number");
      // The first click shows the largest number, or the first name.
      const first = numbers ? "descending" : "ascending";
      const other = numbers ? "ascending" : "descending";
      const order = header.getAttribute("aria-sort") === first ? other : first;
      for (const each of headers) each.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", order);
      const key = (row) => row.cells[column].dataset.key;
      const compare = numbers
        ? (a, b) => Number(key(a)) - Number(key(b))
        : (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
      const rows = [...table.tBodies[0].rows].sort(compare);
      table.tBodies[0].append(...(order === "ascending" ? rows : rows.reverse()));
    });
  });
}

const filter = document.getElementById("filter");
if (filter) {
  filter.hidden = false;
  const chosen = document.getElementById("account");
  const apply = () => {
    for (const list of document.querySelectorAll("section.list")) {
      const rows = [...list.querySelectorAll("tr[data-account]")];
      for (const row of rows) row.hidden = chosen.value !== "" && row.dataset.account !== chosen.value;
      // A list that was cut may leave out users of the account: it stays, and says so.
      if (list.querySelector(".cut")) continue;
      const shown = rows.filter((row) => !row.hidden).length;
      list.querySelector("h3 span").textContent = shown.toLocaleString("en");
      list.hidden = chosen.value !== "" && shown === 0;
    }
  };
  chosen.addEventListener("change", apply);
  // Browsers keep the choice when a page is loaded again.
  apply();
}
