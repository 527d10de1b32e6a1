// Click a column's head to sort its table: by number where the cells begin with one, else by text.
document.addEventListener("DOMContentLoaded", () => {
  const text = (row, column) => row.cells[column].textContent.trim().replace("−", "-");
  for (const table of document.querySelectorAll(".cell_output .pst-scrollable-table-container > table")) {
    table.classList.add("sortable");
    const heads = [...table.querySelectorAll("thead th")];
    heads.forEach((head, column) => {
      head.tabIndex = 0;
      head.title = "sort by this column";
      const sort = () => {
        const down = head.getAttribute("aria-sort") === "descending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows];
        const order = (a, b) => {
          const [x, y] = [text(a, column), text(b, column)];
          const [n, m] = [x, y].map((s) => parseFloat(s.replaceAll(",", "")));
          if (isNaN(n) !== isNaN(m)) return isNaN(n) ? 1 : -1; // words after numbers, always
          const before = isNaN(n) ? -x.localeCompare(y) : n - m;
          return down ? before : -before;
        };
        rows.sort(order).forEach((row) => table.tBodies[0].append(row));
      };
      head.addEventListener("click", sort);
      head.addEventListener("keydown", (event) => event.key === "Enter" && sort());
    });
  }
});
