// Lets rows that change places be seen moving, where the browser can show that and the reader wants motion.

const still = matchMedia("(prefers-reduced-motion: reduce)");
let running = null;

// Call `change`, which moves, adds or removes rows; `name(row)` tells one from another. Changes that come while others
// still move are made at once.
export function swapInPlace(rows, name, change) {
  if (!document.startViewTransition || still.matches || document.hidden || running) return change();
  const label = () => rows().forEach((row) => (row.style.viewTransitionName = name(row)));
  label();
  running = document.startViewTransition(() => {
    change();
    label();
  });
  running.ready.catch(() => {}); // skipped, as in a tab that was just hidden: the change is made all the same
  running.finished.finally(() => {
    running = null;
    rows().forEach((row) => (row.style.viewTransitionName = ""));
  });
}
