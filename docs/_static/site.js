// what the theme and notebooks leave out for readers who use a keyboard or a screen reader
document.addEventListener("DOMContentLoaded", () => {
  // tables that scroll can be reached, and so scrolled, by the keyboard
  const reach = () => {
    for (const table of document.querySelectorAll(".bd-article table")) {
      if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
      else table.removeAttribute("tabindex");
    }
  };
  reach();
  addEventListener("resize", reach);
  for (const summary of document.querySelectorAll(".bd-sidebar-primary summary")) {
    const page = summary.closest("li")?.querySelector("a")?.textContent.trim();
    summary.setAttribute("aria-label", `Pages below ${page}`);
  }
});
