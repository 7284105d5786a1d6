// Chooses the indicator that the page's address names, and lets the reader choose another.
function geoliveChoose(pages) {
  "use strict";
  const wanted = new URLSearchParams(location.hash.slice(1)).get("indicator");
  const page = pages.find((each) => each.indicator === wanted) ?? pages[0];
  page.named = page !== pages[0];
  if (pages.length === 1) return page;
  page.districts.forEach((district, row) => {
    const { shape, middle, room } = pages[0].districts[row] ?? {};
    if (!district.shape) Object.assign(district, { shape, middle, room });
  });
  const select = document.getElementById("geolive-indicator");
  pages.forEach((each) => {
    const option = document.createElement("option");
    Object.assign(option, { value: each.indicator, textContent: each.choice, selected: each === page });
    select.append(option);
  });
  select.addEventListener("change", () => {
    const parts = new URLSearchParams(location.hash.slice(1));
    parts.set("indicator", select.value);
    // what is shown of one indicator may not be there for another
    parts.delete("show");
    location.hash = parts;
    location.reload();
  });
  document.title = page.window;
  document.querySelector("#geolive-head h1").textContent = page.title;
  document.querySelector(".geolive-unit").textContent = page.unit;
  const caution = document.querySelector(".geolive-caution");
  Object.assign(caution, { textContent: page.caution, hidden: !page.caution });
  if (page !== pages[0]) {
    const list = document.querySelector("#geolive-how dl");
    const classes = Object.fromEntries([...list.querySelectorAll("dt")].map((term) => [term.textContent, [term.className, term.nextElementSibling.className]]));
    list.replaceChildren(...page.how.flatMap(([term, text]) => {
      const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
      [dt.className, dd.className] = classes[term] ?? ["", ""];
      Object.assign(dt, { textContent: term });
      Object.assign(dd, { textContent: text });
      return [dt, dd];
    }));
  }
  return page;
}
