// The operations panel of the admin's front page. The stream says that it is time to look again; what this person may see
// is asked for.

import { on } from "./connection.js";
import { watch } from "./elements.js";

const SPREAD = 500; // milliseconds within which the staff's pages look again
const SILENT_AFTER = 20_000; // milliseconds without a word, after which the panel says so

const panel = document.querySelector("#operations");
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: "UTC" });
let looking = 0;
let silence = 0;

function lookSoon() {
  clearTimeout(looking);
  looking = setTimeout(() => look().catch(() => {}), Math.random() * SPREAD); // the next word comes in some seconds
}

async function look() {
  const response = await fetch(panel.dataset.url, { headers: { Accept: "application/json" }, redirect: "error" });
  if (!response.ok) return;
  const { at, figures } = await response.json();
  const rows = new Map([...panel.querySelectorAll("tbody > tr")].map((row) => [row.dataset.figure, row]));
  tellAlarms(rows, figures);
  const shown = figures.map((figure) => fill(rows.get(figure.name) ?? make(), figure));
  if (shown.some((row, place) => panel.querySelector("tbody").children[place] !== row) || shown.length !== rows.size) {
    panel.querySelector("tbody").replaceChildren(...shown);
  }
  const time = panel.querySelector("time");
  time.dateTime = at;
  time.textContent = clock.format(new Date(at));
  hearken();
}

function make() {
  return panel.querySelector("template").content.firstElementChild.cloneNode(true);
}

function fill(row, { name, value, url, alarm }) {
  row.dataset.figure = name;
  row.classList.toggle("alarm", alarm);
  const link = row.querySelector("a");
  link.textContent = name;
  link.href = url;
  row.querySelector("span").textContent = value;
  row.querySelector("strong").hidden = !alarm;
  return row;
}

// Figures change all the time and are not read out; that one has become an alarm is.
function tellAlarms(rows, figures) {
  const fresh = figures.filter(({ name, alarm }) => alarm && !rows.get(name)?.classList.contains("alarm"));
  if (fresh.length) panel.querySelector("#alarms").textContent = fresh.map(({ name }) => `${name} needs a look`).join(", ");
}

function hearken() {
  clearTimeout(silence);
  panel.querySelector(".silent").hidden = true;
  silence = setTimeout(() => (panel.querySelector(".silent").hidden = false), SILENT_AFTER);
}

if (panel) {
  on("operations", lookSoon);
  watch("operations", { onResync: lookSoon });
  hearken();
}
