"use strict";
for (const part of document.querySelectorAll(".script")) part.hidden = false;
const rows = [...document.querySelectorAll("tr[data-name]")];
const search = document.getElementById("search");
const hits = document.getElementById("hits");
search?.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  for (const row of rows) {
    row.hidden = !words.every(word => row.dataset.name.toLowerCase().includes(word));
    left += !row.hidden;
  }
  hits.textContent = words.length ? `${left} of ${rows.length}` : "";
});
function sortBy(heading) {
  const body = heading.closest("table").tBodies[0];
  const place = heading.cellIndex;
  const down = heading.getAttribute("aria-sort") === "ascending";
  const value = row => row.cells[place].dataset.value;
  const compare = heading.classList.contains("n")
    ? (a, b) => a - b
    : (a, b) => a.localeCompare(b, undefined, {numeric: true});
  const sorted = [...body.rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === "" || y === "") return (x === "") - (y === "");  // what has none comes last
    return down ? compare(y, x) : compare(x, y);
  });
  for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  body.append(...sorted);
}
for (const heading of document.querySelectorAll("th.sort")) {
  heading.tabIndex = 0;
  heading.addEventListener("click", () => sortBy(heading));
  heading.addEventListener("keydown", event => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      sortBy(heading);
    }
  });
}
document.addEventListener("keydown", event => {
  if (event.key === "Escape")
    for (const open of document.querySelectorAll("details.photo[open]")) open.open = false;
});
