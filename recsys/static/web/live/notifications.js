// How many notifications wait to be looked at, and that the page of them has got older. The title counts posts only.

import { on } from "./connection.js";

const badges = [...document.querySelectorAll(".unseen-badge")];
const pill = document.querySelector("#new-notifications");

function show(count) {
  const number = count > 99 ? "99+" : String(count);
  for (const badge of badges) {
    badge.hidden = count === 0;
    badge.textContent = number;
    badge.setAttribute("aria-label", `${number} new`);
  }
  if (pill && count) pill.hidden = false;
}

async function ask() {
  const response = await fetch(badges[0].dataset.url, { headers: { Accept: "application/json" } });
  if (response.ok) show((await response.json()).unseen);
}

on("notifications", (event) => show(event.unseen));
document.addEventListener("notifications:ask", () => ask().catch(() => {})); // the next event says it
pill?.addEventListener("click", () => (pill.hidden = true));
