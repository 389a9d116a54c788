// Before the first paint, so that no page flashes in the wrong theme: the choice that was made here, else the system's.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("candlecast-theme");
  } catch {
    // Storage is switched off: the system's theme it is.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
