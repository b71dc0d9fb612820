// The page: one stream of the state, and facts that change slowly. It shows, and sends nothing.

import * as cards from "./cards.js";
import * as flow from "./flow.js";
import * as trend from "./trend.js";
import { duration, known, upper } from "./words.js";

const SILENT_MS = 3000; // a running controller sends five events a second
const SLOW = { why: 2000, trend: 5000, events: 5000, plan: 30000 };
const find = (name) => document.getElementById(name);
const seen = { state: null, last: "", last_ms: 0, trouble: "Waiting for the first values.", heard_ms: 0, drawn_ms: 0, drawn: {} };
const facts = {};
let span_s = 600;

// RFC 7386: null removes a name, and a name that is missing is unknown
function merged(target, patch) {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const made = target !== null && typeof target === "object" && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete made[name];
    else made[name] = merged(made[name], value);
  }
  return made;
}

function listen() {
  const stream = new EventSource("/api/v1/stream");
  const heard = (name, take) => stream.addEventListener(name, (event) => {
    seen.heard_ms = performance.now();
    take(JSON.parse(event.data));
    show();
  });
  heard("state", (state) => { seen.state = state; seen.trouble = ""; });
  heard("patch", (patch) => { seen.state = seen.state && merged(seen.state, patch); });
  heard("trouble", (found) => { seen.state = null; seen.trouble = `No controller: ${found.trouble}.`; });
  stream.addEventListener("error", () => {
    seen.state = null;
    seen.trouble = "The connection to the box is lost. It is tried again by itself.";
    show();
  });
}

// The state to show; null while it may be old
function current() {
  if (seen.state && performance.now() - seen.heard_ms > SILENT_MS) {
    seen.trouble = `Nothing has come from the box for ${duration(performance.now() - seen.heard_ms)}.`;
    return null;
  }
  if (seen.state) {
    const count = seen.state.standing.length;
    seen.trouble = "";
    seen.last = `${seen.state.state}, ${count ? `${count} alarm${count > 1 ? "s" : ""}` : "no alarm"}`;
    seen.last_ms = performance.now();
  }
  return seen.state;
}

// Changes the old element into the fresh one in place, so that focus, scrolling and opened parts stay
function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (old.nodeType === Node.TEXT_NODE) return set(old, fresh.textContent);
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  children(old, [...fresh.childNodes]);
}

function children(into, fresh) {
  const old = [...into.childNodes];
  fresh.forEach((each, at) => at < old.length ? morph(old[at], each) : into.append(each));
  for (const each of old.slice(fresh.length)) each.remove();
}

function card(name, value, make) {
  children(find(name).querySelector(":scope > div"), make(value));
}

const LAMPS = { red: "red", amber: "amber" };

function head(state) {
  if (state) find("cabinet").textContent = state.cabinet;
  document.title = `${state ? upper(state.state) : "Not known"} - ${find("cabinet").textContent}`;
  const more = !state ? "" : known(state.test_left_ms) ? `, test, ${duration(state.test_left_ms)} left` :
    state.mode && state.mode.name !== "on the grid" ? `, ${state.mode.name}` : "";
  set(find("state"), state ? `${upper(state.state)}${more}` : "Not known");
  const calm = state && state.state === "running" ? " ok" : "";
  find("lamp").className = `lamp${state ? ` ${LAMPS[state.lamp] || ""}` : ""}${state && !LAMPS[state.lamp] ? calm : ""}`;
  set(find("when"), !state ? "" : [state.utc_text, `up ${duration(state.uptime_ms)}`].filter(Boolean).join(", "));
  const trouble = find("trouble"), danger = find("danger");
  trouble.hidden = !seen.trouble;
  const last = seen.last && ` Last heard less than ${duration(10000 * Math.ceil((performance.now() - seen.last_ms) / 10000))} ago: ${seen.last}.`;
  set(trouble, seen.trouble && `${seen.trouble} All values are unknown until it is back.${last}`);
  danger.hidden = !(state && state.danger.words);
  set(danger, state ? state.danger.words : "");
  set(find("version"), !state ? "" : [state.version.type, state.version.site, `limits CRC ${state.version.limits_crc}`].filter(Boolean).join(" \u00b7 "));
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function show() {
  const state = current(), now_ms = performance.now();
  document.body.classList.toggle("gone", !state);
  head(state);
  const picture = state && [state.grid_W, state.load_W, state.battery_W, state.soc_permille_min, state.site];
  if (seen.drawn.flow !== JSON.stringify(picture)) {
    seen.drawn.flow = JSON.stringify(picture);
    flow.draw(find("flow"), find("flow-words"), state);
  }
  children(find("can"), cards.can(state));
  if (state && now_ms - seen.drawn_ms < 1000) return;
  seen.drawn_ms = state ? now_ms : 0;
  card("alarms", state, cards.alarms);
  card("racks", state, cards.racks);
  card("site", state, cards.site);
  card("why", state && facts.why, cards.why);
  card("events", state && facts.events, cards.events);
  card("plan", state && facts.plan, cards.plan);
  if (seen.drawn.trend !== (state && facts.trend)) {
    seen.drawn.trend = state && facts.trend;
    trend.draw(find("charts"), seen.drawn.trend);
    set(find("trend-source"), seen.drawn.trend ? facts.trend.source : "Not known.");
  }
}

async function fetched(name) {
  const more = name === "trend" ? `?span_s=${span_s}` : "";
  try {
    const answer = await fetch(`/api/v1/${name}${more}`);
    const own = answer.ok ? await answer.json() : null;
    facts[name] = own && own.is_live ? own : null;
  } catch {
    facts[name] = null;
  }
  show();
}

function repeat(name) {
  const again = async () => {
    if (!document.hidden) await fetched(name);
    setTimeout(again, SLOW[name]);
  };
  again();
}

for (const button of document.querySelectorAll("[data-span]")) {
  button.addEventListener("click", () => {
    span_s = Number(button.dataset.span);
    for (const each of document.querySelectorAll("[data-span]")) each.setAttribute("aria-pressed", String(each === button));
    seen.drawn_ms = 0;
    fetched("trend");
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { seen.drawn.trend = undefined; seen.drawn_ms = 0; show(); });
addEventListener("resize", () => { seen.drawn.trend = undefined; seen.drawn_ms = 0; show(); });
show();
listen();
setInterval(show, 1000);
Object.keys(SLOW).forEach(repeat);
