// Says how the connection is, unobtrusively: a short gap is nobody's business.

import { onState } from "./connection.js";

const LABELS = {
  live: "Live",
  connecting: "Connecting…",
  reconnecting: "Reconnecting…",
  stale: "Out of date",
  closed: "Offline",
};
const GRACE = 2500; // milliseconds of trouble that are not shown

const label = document.querySelector("#connection");
let timer = 0;

onState((state) => {
  if (!label) return;
  clearTimeout(timer);
  const show = () => {
    label.hidden = false;
    label.dataset.state = state;
    label.textContent = LABELS[state] ?? state;
  };
  if (state === "live") show();
  else timer = setTimeout(show, GRACE);
});
