// The headline, the table of the forecast, and the hits of the last hour.

import { byId, element, fill, write } from "./dom.js";
import { count, isNumber, minute, NONE, percent, price, second, signed } from "./format.js";

const BASIS_POINTS = 10_000;

export function showHeadline(live, state) {
  const last = live.candles.at(-1);
  write(byId("last-close"), last ? price(last[4]) : NONE);
  const hour = live.candles.at(-61);
  const change = last && hour ? (last[4] / hour[4] - 1) * 100 : null;
  write(byId("last-change"), isNumber(change) ? `${signed(change, 2)} % in an hour` : "");
  write(byId("candle-time"), last ? `${second(last[0] + 60)} UTC` : "");

  const ahead = state === "live" ? live.forecast.at(-1) : null;
  write(byId("ahead-label"), ahead ? `Forecast for ${minute(ahead.target_time + 60)}` : "Forecast");
  write(byId("ahead"), ahead ? price(ahead.predicted_price) : NONE);
  write(
    byId("ahead-change"),
    ahead ? `${signed(ahead.predicted_close * BASIS_POINTS, 2)} bp in ${ahead.horizon} min` : "none that is live",
  );
  byId("ahead-change").dataset.sign = ahead ? Math.sign(ahead.predicted_close) : 0;

  const next = state === "live" ? live.forecast[0] : null;
  write(byId("chance"), next ? percent(next.probability_up) : NONE);
  const noteOf = (row) =>
    row.abstained ? "next minute; abstained" : row.probability_up === null ? "not calibrated" : "next minute";
  write(byId("chance-note"), next ? noteOf(next) : "");
}

/** Nothing of the live document was read yet, and why. */
export function showNotRead(why) {
  write(byId("ahead-change"), ""); // there may be one that is live
  write(byId("forecast-caption"), why);
  byId("forecast").tBodies[0].replaceChildren();
  byId("hits").replaceChildren(element("p", { className: "nothing" }, why));
}

const CAPTIONS = {
  none: () => "No forecast yet.",
  live: (at) => `From the candle that closed at ${at} UTC.`,
  late: (at) => `Not live: of the candle that closed at ${at} UTC.`,
  gone: (at) => `No live forecast. The last one, of ${at} UTC, is over.`,
};

export function showForecast(live, state) {
  const rows = state === "gone" ? [] : live.forecast;
  const at = live.forecast[0] ? minute(live.forecast[0].candle_time + 60) : NONE;
  write(byId("forecast-caption"), CAPTIONS[state](at));
  const tag = byId("forecast-state");
  write(tag, state === "none" ? "" : state);
  tag.dataset.level = { live: "ok", late: "degraded", gone: "down", none: "unknown" }[state];
  byId("forecast").classList.toggle("old", state !== "live");
  fill(byId("forecast"), rows.map(forecastRow), state === "gone" ? "Nothing that is live." : "No forecast yet.");
}

function forecastRow(row) {
  const sign = Math.sign(row.predicted_close);
  const range = isNumber(row.lower_price) ? `${price(row.lower_price)} – ${price(row.upper_price)}` : NONE;
  const notes = [
    row.abstained ? "abstained: closer to 0.5 than min_confidence asks for" : "",
    row.out_of_distribution ? `unlike what training saw: ${row.furthest_feature}` : "",
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

/** One strip a horizon, sixty minutes, the newest right. */
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
      row === undefined ? "gap" : row[6] === null ? "open" : row[7] === null ? "still" : row[7] ? "hit" : "miss";
    if (kind in tally) tally[kind] += 1;
    const words = { gap: "no forecast", open: "still open", still: "price unmoved", hit: "right", miss: "wrong" };
    cells.push(
      element("span", {
        className: `cell ${kind}`,
        title: `${minute(time + 60)} UTC, ${horizon} min ahead: ${words[kind]}`,
      }),
    );
  }
  const total = tally.hit + tally.miss;
  const share = total > 0 ? percent(tally.hit / total, 0) : NONE;
  const label = `${horizon} min ahead: ${tally.hit} of ${total} directions right`;
  return element(
    "div",
    { className: "hit-row" },
    element("span", { className: "hit-name" }, `${horizon} min`),
    element("div", { className: "cells", role: "img", ariaLabel: label }, ...cells),
    element("span", { className: "hit-share" }, `${count(tally.hit)}/${count(total)}`, element("b", {}, share)),
  );
}
