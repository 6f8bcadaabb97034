// Loaded before the first paint, so that a remembered theme never flashes the other one.
(() => {
  const root = document.documentElement;
  root.classList.add("has-js");
  const remembered = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is forbidden here: the system's theme it is
    }
  };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const current = () => remembered() ?? (system.matches ? "dark" : "light");
  const show = () => {
    const theme = remembered();
    if (theme) root.dataset.theme = theme;
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.hidden = false;
      button.setAttribute("aria-pressed", String(current() === "dark"));
    }
  };
  show();
  document.addEventListener("DOMContentLoaded", show);
  system.addEventListener("change", show);
  addEventListener("storage", (event) => event.key === "theme" && show());
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    const next = current() === "dark" ? "light" : "dark";
    root.dataset.theme = next;
    try {
      localStorage.setItem("theme", next);
    } catch {
      // remembered for this page only
    }
    show();
  });
})();
