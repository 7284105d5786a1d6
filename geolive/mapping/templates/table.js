// The table of all districts: sorted and searched, each interval drawn; table and map point at one another.
function geoliveTable(page, view, words) {
  "use strict";
  const at = (id) => document.getElementById(id);
  const body = at("geolive-rows");
  const columns = [{ name: words("district"), fact: -1, key: (d) => fold(d.name) }]
    .concat(page.facts.map((name, fact) => ({ name, fact, key: (d) => d.sort[fact] })))
    // a column that is empty in every row says nothing, and sentences have their place in the panel
    .filter((column) => column.fact < 0 || page.districts.some((d) => d.facts[column.fact] !== null && d.sort[column.fact] !== null));

  // names as geolive's own search of regions compares them: without case, accents, spaces and punctuation
  const LETTERS = { đ: "d", ð: "d", ø: "o", æ: "ae", œ: "oe", ł: "l", ı: "i", þ: "th", ħ: "h", ŧ: "t", ŋ: "ng", ß: "ss" };
  function fold(text) {
    const decomposed = text.toLowerCase().replaceAll("&", "and").normalize("NFKD").toLowerCase();
    const letters = decomposed.replace(/[\u0300-\u036f\u064b-\u065f\u0670]/g, "").replace(/[đðøæœłıþħŧŋß]/g, (letter) => LETTERS[letter]);
    return letters.replace(/[^\p{L}\p{M}\p{N}]/gu, "");
  }

  // where the panel is above the table, its growing would move the row away from the pointer
  const stacked = window.matchMedia("(max-width: 820px)");
  const hover = (row) => view.point(row, stacked.matches);

  const rows = page.districts.map((district, row) => {
    const line = view.make("tr");
    line.dataset.row = row;
    columns.forEach((column) => {
      if (column.fact < 0) {
        const head = view.make("th");
        head.scope = "row";
        const button = view.make("button", "geolive-link", district.name);
        button.type = "button";
        button.addEventListener("click", () => view.choose(row));
        button.addEventListener("focus", () => hover(row));
        button.addEventListener("blur", () => hover(view.pinned()));
        head.append(button);
        if (district.state) head.append(view.make("span", "geolive-quiet", district.state));
        line.append(head);
        return;
      }
      const cell = view.make("td", "", district.facts[column.fact] ?? "");
      if (column.fact === 1 && district.value !== null) cell.append(view.strip(district));
      line.append(cell);
    });
    line.addEventListener("mouseover", () => hover(row));
    line.addEventListener("mouseout", () => hover(view.pinned()));
    return line;
  });

  const heads = columns.map((column) => {
    const head = view.make("th");
    head.scope = "col";
    const button = view.make("button", "geolive-sort", column.name);
    button.type = "button";
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      sort(column, up);
    });
    head.append(button);
    at("geolive-columns").append(head);
    return head;
  });

  function sort(column, up) {
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[columns.indexOf(column)].setAttribute("aria-sort", up ? "ascending" : "descending");
    const way = up ? 1 : -1;
    const keys = page.districts.map(column.key);
    const order = rows.map((_, row) => row).sort((a, b) => {
      // districts without a value come last, whichever way
      if (keys[a] === null || keys[b] === null) return (keys[a] === null) - (keys[b] === null) || a - b;
      return way * (keys[a] < keys[b] ? -1 : keys[a] > keys[b] ? 1 : 0) || a - b;
    });
    body.replaceChildren(...order.map((row) => rows[row]));
  }

  const search = at("geolive-search");
  const found = () => [...body.children].filter((line) => !line.hidden);
  function filter() {
    const typed = fold(search.value);
    const wanted = page.spellings[typed] ?? typed;
    rows.forEach((line, row) => {
      const district = page.districts[row];
      line.hidden = ![district.name, district.state ?? ""].some((name) => fold(name).includes(wanted));
    });
    const count = found().length;
    at("geolive-found").textContent = wanted ? words("found", { count }) : "";
    if (wanted) at("geolive-all").open = true;
  }
  search.addEventListener("input", filter);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && found().length) view.choose(Number(found()[0].dataset.row));
    if (event.key === "Escape") {
      search.value = "";
      filter();
    }
  });

  let marked = -1;
  view.onPoint((row) => {
    if (marked >= 0) rows[marked].classList.remove("geolive-marked");
    if (row >= 0) rows[row].classList.add("geolive-marked");
    marked = row;
  });
  view.onChoose((row) => {
    rows.forEach((line, i) => (i === row ? line.setAttribute("aria-current", "true") : line.removeAttribute("aria-current")));
    // the page itself stays where it is
    const box = at("geolive-scroll");
    if (row < 0 || !at("geolive-all").open) return;
    const top = rows[row].offsetTop - at("geolive-columns").offsetHeight;
    if (top < box.scrollTop || top + rows[row].offsetHeight > box.scrollTop + box.clientHeight - 40) box.scrollTop = top;
  });
  at("geolive-all").addEventListener("toggle", () => view.resized());
  // the first of the ranking comes first
  const fromLowest = page.ranked_from === "lowest";
  sort(columns[1], fromLowest);

  // on paper: the first and the last ten
  const ranked = page.districts.filter((d) => d.value !== null).sort((a, b) => (fromLowest ? a.value - b.value : b.value - a.value));
  const halves = ranked.length > 20 ? [[words("first_ten", { first: page.first_words }), ranked.slice(0, 10)], [words("last_ten"), ranked.slice(-10)]] : [[words("all_ranked"), ranked]];
  halves.forEach(([title, districts]) => {
    const table = view.make("table");
    table.append(view.make("caption", "", title));
    districts.forEach((district) => {
      const line = view.make("tr");
      line.append(view.make("th", "", district.name), ...[0, 1, 2].map((i) => view.make("td", "", district.facts[i] ?? "")));
      table.append(line);
    });
    at("geolive-paper-table").append(table);
  });
}
