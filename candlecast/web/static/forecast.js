// The headline, the forecast table, and the direction hits of the last hour.

import { byId, element, fill, write } from "./dom.js";
import { count, isNumber, minute, NONE, percent, price, second, signed } from "./format.js";

const BASIS_POINTS = 10_000;

export function showHeadline(live, state) {
  const last = live.candles.at(-1);
  write(byId("last-close"), last ? price(last[4]) : NONE);
  const hour = live.candles.at(-61);
  const change = last && hour ? (last[4] / hour[4] - 1) * 100 : null;
  write(byId("last-change"), isNumber(change) ? `${signed(change, 2)} % in 1 h` : "");
  write(byId("candle-time"), last ? `${second(last[0] + 60)} UTC` : "");

  const ahead = state === "live" ? live.forecast.at(-1) : null;
  write(byId("ahead-label"), ahead ? `Forecast for ${minute(ahead.target_time + 60)}` : "Forecast");
  write(byId("ahead"), ahead ? price(ahead.predicted_price) : NONE);
  write(
    byId("ahead-change"),
    ahead ? `${signed(ahead.predicted_close * BASIS_POINTS, 2)} bp in ${ahead.horizon} min` : "no live forecast",
  );
  byId("ahead-change").dataset.sign = ahead ? Math.sign(ahead.predicted_close) : 0;

  const next = state === "live" ? live.forecast[0] : null;
  write(byId("probability"), next ? percent(next.probability_up) : NONE);
  const noteOf = (row) =>
    row.abstained ? "next minute; abstained" : row.probability_up === null ? "not calibrated" : "next minute";
  write(byId("probability-note"), next ? noteOf(next) : "");
}

/** Show `why` the live document has not been read. */
export function showNotRead(why) {
  write(byId("ahead-change"), ""); // whether there is a live forecast is unknown
  write(byId("forecast-caption"), why);
  byId("forecast").tBodies[0].replaceChildren();
  byId("hits").replaceChildren(element("p", { className: "nothing" }, why));
}

const CAPTIONS = {
  none: () => "No forecast yet.",
  live: (at) => `From the candle that closed at ${at} UTC.`,
  late: (at) => `Not live: from the candle that closed at ${at} UTC.`,
  expired: (at) => `No live forecast. The newest one, from ${at} UTC, has expired.`,
};

export function showForecast(live, state) {
  const rows = state === "expired" ? [] : live.forecast;
  const at = live.forecast[0] ? minute(live.forecast[0].candle_time + 60) : NONE;
  write(byId("forecast-caption"), CAPTIONS[state](at));
  const tag = byId("forecast-state");
  write(tag, state === "none" ? "" : state);
  tag.dataset.level = { live: "ok", late: "degraded", expired: "down", none: "unknown" }[state];
  byId("forecast").classList.toggle("old", state !== "live");
  fill(byId("forecast"), rows.map(forecastRow), state === "expired" ? "No live forecast." : "No forecast yet.");
}

function forecastRow(row) {
  const sign = Math.sign(row.predicted_close);
  const range = isNumber(row.lower_price) ? `${price(row.lower_price)} – ${price(row.upper_price)}` : NONE;
  const notes = [
    row.abstained ? "abstained: the distance to 0.5 is below min_confidence" : "",
    row.out_of_distribution ? `out of distribution: ${row.furthest_feature}` : "",
  ].filter(Boolean);
  const marks = `${row.abstained ? " ○" : ""}${row.out_of_distribution ? " ⚠" : ""}`;
  return [
    {
      text: element(
        "span",
        {},
        `${minute(row.target_time + 60)}`,
        element("span", { className: "muted" }, ` +${row.horizon}`),
      ),
    },
    price(row.predicted_price),
    {
      text: `${sign > 0 ? "▲" : sign < 0 ? "▼" : ""} ${signed(row.predicted_close * BASIS_POINTS, 2)}`,
      className: sign > 0 ? "up" : sign < 0 ? "down" : "",
    },
    { text: `${percent(row.probability_up)}${marks}`, title: notes.join("; ") },
    { text: range, className: "range" },
    percent(row.confidence, 0),
  ];
}

const CELL_TEXTS = {
  gap: "no forecast",
  pending: "no outcome yet",
  unchanged: "price unchanged",
  hit: "hit",
  miss: "miss",
};

/** One strip of 60 minutes per horizon, the newest minute on the right. */
export function showHits(live) {
  const strips = [1, 2, 3, 4, 5].map((horizon) => strip(horizon, live));
  byId("hits").replaceChildren(
    ...(live.past.length > 0 ? strips : [element("p", { className: "nothing" }, "No forecasts in the last hour.")]),
  );
}

function strip(horizon, live) {
  const since = (live.newest_candle ?? 0) - 3600;
  const known = new Map(live.past.filter((row) => row[1] === horizon && row[0] > since).map((row) => [row[0], row]));
  const cells = [];
  const tally = { hit: 0, miss: 0 };
  for (let time = since + 60; time <= live.newest_candle; time += 60) {
    const row = known.get(time);
    const kind =
      row === undefined ? "gap" : row[6] === null ? "pending" : row[7] === null ? "unchanged" : row[7] ? "hit" : "miss";
    if (kind in tally) tally[kind] += 1;
    cells.push(
      element("span", {
        className: `cell ${kind}`,
        title: `${minute(time + 60)} UTC, ${horizon} min ahead: ${CELL_TEXTS[kind]}`,
      }),
    );
  }
  const total = tally.hit + tally.miss;
  const share = total > 0 ? percent(tally.hit / total, 0) : NONE;
  const label = `${horizon} min ahead: ${tally.hit} hits of ${total}`;
  return element(
    "div",
    { className: "hit-row" },
    element("span", { className: "hit-name" }, `${horizon} min`),
    element("div", { className: "cells", role: "img", ariaLabel: label }, ...cells),
    element("span", { className: "hit-share" }, `${count(tally.hit)}/${count(total)}`, element("b", {}, share)),
  );
}
