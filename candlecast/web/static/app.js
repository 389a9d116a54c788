// The page: polls its documents, stores them and renders them. No framework and no build step: the modules are served
// as they are.

import { PriceChart } from "./chart.js";
import { byId, choice, element, onChoice, write } from "./dom.js";
import { showForecast, showHeadline, showHits, showNotRead } from "./forecast.js";
import { age, price, second } from "./format.js";
import { ageOf, forecastState, verdict } from "./freshness.js";
import { showHealth, showOperations } from "./operations.js";
import { Poll } from "./poll.js";
import { showBoard, showCoverage, showDrift, showHistory, showHorizons, showTests } from "./record.js";
import { LOADING, notRead } from "./sections.js";

const NO_LIVE = { symbol: null, newest_candle: null, candles: [], forecast: [], past: [] };
const SYNTHETIC = "DEMO"; // the symbol of generated candles
const state = {
  symbol: new URLSearchParams(location.search).get("symbol"),
  problem: null,
  lastAnswer: null,
  offset: 0,
};
const chart = new PriceChart(byId("chart"), byId("hover"));
const now = () => Date.now() / 1000 + state.offset;
const query = (name) => () => `api/${name}${state.symbol ? `?symbol=${encodeURIComponent(state.symbol)}` : ""}`;

const live = new Poll(query("live"), 2, (found) => take("live", found, showLive), noteAnswer);
const health = new Poll(
  () => "health",
  3,
  (found) => {
    if (found.checked_at) state.offset = Date.parse(found.checked_at) / 1000 - Date.now() / 1000;
    take("health", found, () => {});
  },
);
const operations = new Poll(
  query("operations"),
  10,
  (found) => take("operations", found, showRuns),
  (problem) => noteMissing("operations", problem, showRuns),
);
const record = new Poll(
  query("record"),
  60,
  (found) => take("record", found, showRecord),
  (problem) => noteMissing("record", problem, showRecord),
);
const symbols = new Poll(
  () => "api/symbols",
  30,
  (found) => showSymbols(found.symbols),
);

/** Store and render a document. Late answers for a symbol that is no longer selected are dropped. */
function take(name, found, show) {
  if (name !== "health" && state.symbol && found.symbol && found.symbol !== state.symbol) return;
  state[name] = found;
  if (name === "live" && found.symbol && found.symbol !== byId("symbol").value) symbols.now();
  show();
  showStatus();
  tick();
}

/** A document that could not be loaded at all is shown as one whose sections could not be read. */
function noteMissing(name, problem, show) {
  if (!problem || "symbol" in state[name]) return;
  state[name] = { error: problem.reason };
  show();
}

/** Called for every answer of the live document. A forecast is live only while the service answers. */
function noteAnswer(problem) {
  if (problem) {
    state.problem = { ...problem, since: state.problem?.since ?? state.lastAnswer ?? now() };
    if (!state.live) showLive();
  } else {
    if (state.problem) for (const poll of [health, operations, record, symbols]) poll.now();
    state.problem = null;
    state.lastAnswer = now();
  }
  tick();
}

function showLive() {
  const [of, found] = [freshness(), state.live ?? NO_LIVE];
  showHeadline(found, of);
  showForecast(found, of);
  showHits(found);
  if (!state.live) showNotRead(state.problem ? notRead(state.problem.reason) : LOADING);
  chart.draw(found, of, Number(byId("past-horizon").value));
  state.shown = of;
}

/** Clear the data of the previous symbol at once, before the data of the new one arrives. */
function clear() {
  state.live = state.problem = null;
  state.operations = state.record = { absent: LOADING };
  showLive();
  showRuns();
  showRecord();
  showStatus();
  tick();
}

const showRuns = () => showOperations(state.operations, now());

function showStatus() {
  if (state.health) showHealth(state.health, state.operations, state.live?.symbol ?? state.symbol, now());
}

function showRecord() {
  const over = choice(byId("window"));
  showHorizons(state.record, over);
  showCoverage(state.record, Number(byId("coverage-horizon").value));
  showBoard(state.record, over, Number(byId("board-horizon").value), now());
  showTests(state.record, now());
  showHistory(state.record, now());
  showDrift(state.record);
}

/** Load the documents of the selected symbol. */
function load() {
  clear();
  for (const poll of [live, operations, record]) poll.now({ other: true });
}

function showSymbols(found) {
  const select = byId("symbol");
  const names = found.map((one) => one.symbol);
  if (names.join() !== [...select.options].map((option) => option.value).join()) {
    select.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
  }
  select.disabled = names.length === 0;
  if (!names.includes(state.symbol)) {
    const requested = state.symbol;
    state.symbol = names.includes(state.live?.symbol) ? state.live.symbol : (names[0] ?? null);
    if (requested) load();
    if (requested && state.symbol) notice(`Unknown symbol ${requested}. Showing ${state.symbol}.`);
  }
  if (state.symbol) select.value = state.symbol;
  showSynthetic();
}

function showSynthetic() {
  byId("synthetic").hidden = state.symbol !== SYNTHETIC;
}

function notice(text) {
  byId("notice").hidden = !text;
  write(byId("notice"), text);
}

const status = () => verdict({ live: state.live, health: state.health, problem: state.problem, now: now() });
const freshness = () => forecastState(state.live, now(), status().level === "down");

/** Update what depends on the time: ages, the clock, and whether the forecast is still live. */
function tick() {
  const { level, word, title, text, since } = status();
  byId("pill").dataset.level = level;
  write(byId("pill-text"), word);
  const banner = byId("banner");
  banner.hidden = !title;
  banner.dataset.level = level;
  write(byId("banner-title"), title);
  write(byId("banner-text"), text);
  write(byId("banner-age"), since ? `, ${age(now() - since)} ago.` : "");
  if (state.announced !== `${level} ${title}`) {
    state.announced = `${level} ${title}`;
    const good = level === "ok" ? "Forecasts are live." : "";
    write(byId("announcement"), title ? `${title} ${text}${since ? "." : ""}` : good);
  }
  document.body.classList.toggle("stale", level === "down");
  const close = state.live?.candles.at(-1)?.[4];
  document.title = [level === "ok" && close ? price(close) : word, state.live?.symbol, "candlecast"]
    .filter(Boolean)
    .join(" · ");
  write(byId("clock"), second(now()));
  const newest = state.live?.newest_candle;
  write(byId("candle-age"), newest ? `${age(ageOf(newest, now()))} ago` : "–");
  if (state.live && freshness() !== state.shown) showLive();
}

function listen() {
  if (matchMedia("(max-width: 760px)").matches) byId("range").querySelector("[value='30']").checked = true;
  chart.show(Number(choice(byId("range"))));
  byId("symbol").addEventListener("change", ({ target }) => {
    state.symbol = target.value;
    notice("");
    history.replaceState(null, "", `?symbol=${encodeURIComponent(state.symbol)}`);
    showSynthetic();
    load();
  });
  onChoice(byId("range"), (minutes) => chart.show(Number(minutes)));
  onChoice(byId("window"), showRecord);
  for (const name of ["coverage-horizon", "board-horizon"]) byId(name).addEventListener("change", showRecord);
  byId("past-horizon").addEventListener("change", ({ target }) => {
    write(
      byId("past-key"),
      target.value === "0" ? "past forecasts are hidden" : `past forecasts, ${target.value} min ahead, 90 % interval`,
    );
    showLive();
  });
  listenToTheme();
}

function listenToTheme() {
  const root = document.documentElement;
  const current = root.dataset.theme ?? "auto";
  byId("theme").querySelector(`[value=${current}]`).checked = true;
  onChoice(byId("theme"), (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    try {
      localStorage.setItem("candlecast-theme", theme);
    } catch {
      // Storage is disabled: the theme is kept until the page is closed.
    }
    chart.paint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart.paint());
}

listen();
clear();
setInterval(tick, 1000);
health.now();
const known = symbols.now();
if (state.symbol) await known; // the symbol in the address may be unknown
load();
