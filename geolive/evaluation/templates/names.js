// Shows what a name means beside the name, on hover and on focus; Escape hides it. The text is that of the legend.
(() => {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.querySelector("main").append(tip);
  let shown = null;
  const place = () => {
    const box = shown.getBoundingClientRect();
    const below = box.bottom + 4;
    const fits = below + tip.offsetHeight < innerHeight;
    tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${fits ? below : Math.max(8, box.top - tip.offsetHeight - 4)}px`;
  };
  const show = (link) => {
    shown = link;
    tip.textContent = document.getElementById(link.getAttribute("aria-describedby")).textContent;
    tip.hidden = false;
    place();
  };
  const hide = () => {
    shown = null;
    tip.hidden = true;
  };
  document.addEventListener("pointerover", (event) => {
    const link = event.target.closest(".named");
    if (link) show(link);
    else if (shown && !tip.contains(event.target) && document.activeElement !== shown) hide();
  });
  document.addEventListener("focusin", (event) => {
    const link = event.target.closest(".named");
    if (link) show(link);
    else hide();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
  document.addEventListener("scroll", () => shown && place(), { capture: true, passive: true });
})();
