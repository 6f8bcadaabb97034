// The live part of a page, one module for each concern. Without it, everything is still there after a reload.
//
//   live/connection.js      the page's one connection: `on(type, apply)` and `subscribe({ kind, arg, position, onResync })`
//   live/elements.js        parts of the page that say what they want to hear: data-live, data-arg, data-position
//
// The others apply events to the page. An event may come twice, and on data that holds it already: applying it again
// must change nothing.

import "./live/state.js";
import "./live/timeline.js";
import "./live/notifications.js";
import "./live/presence.js";
import "./live/typing.js";
import "./live/items.js";
import "./live/recommendations.js";
import "./live/trending.js";
