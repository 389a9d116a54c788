// The chart: candles, the current forecast and past forecasts.

import {
  CandlestickSeries,
  createChart,
  CrosshairMode,
  LineSeries,
  LineStyle,
} from "./vendor/lightweight-charts/lightweight-charts.standalone.production.mjs";
import { Band } from "./band.js";
import { byId } from "./dom.js";
import { decimal, minute, price, priceDigits } from "./format.js";

const QUIET = { lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false };

export class PriceChart {
  #minutes = 60;
  #newest = null;
  #symbol = null;
  #drawn = null;

  constructor(container, hover) {
    this.container = container;
    this.hover = hover;
    this.chart = createChart(container, {
      autoSize: true,
      // The footer names TradingView. The logo would need a style element, which the Content-Security-Policy forbids.
      layout: { attributionLogo: false, background: { color: "transparent" }, fontSize: 11 },
      timeScale: { timeVisible: true, secondsVisible: false, minBarSpacing: 1, borderVisible: false },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.08, bottom: 0.08 } },
      crosshair: { mode: CrosshairMode.Normal },
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
      handleScale: { mouseWheel: false },
      localization: { priceFormatter: price, timeFormatter: (time) => `${minute(time)} UTC` },
    });
    this.past = this.chart.addSeries(LineSeries, { ...QUIET, lineWidth: 1, lineStyle: LineStyle.Solid });
    this.candles = this.chart.addSeries(CandlestickSeries, { borderVisible: false, priceLineStyle: LineStyle.Dotted });
    this.path = this.chart.addSeries(LineSeries, {
      ...QUIET,
      lineWidth: 2,
      lineStyle: LineStyle.LargeDashed,
      pointMarkersVisible: true,
      pointMarkersRadius: 2.5,
    });
    // A line needs two points. A forecast without a neighbor is a dot, drawn above the candles.
    this.isolated = this.chart.addSeries(LineSeries, {
      ...QUIET,
      lineVisible: false,
      pointMarkersVisible: true,
      pointMarkersRadius: 2,
    });
    this.pastBand = new Band();
    this.band = new Band();
    this.candles.attachPrimitive(this.pastBand);
    this.candles.attachPrimitive(this.band);
    this.chart.subscribeCrosshairMove((at) => this.#showHover(at));
    this.paint();
  }

  /** Apply the colors of the current theme. */
  paint() {
    const of = (name) => color(this.container, name);
    this.chart.applyOptions({
      layout: { textColor: of("--muted"), fontFamily: getComputedStyle(document.body).fontFamily },
      grid: { vertLines: { color: of("--grid") }, horzLines: { color: of("--grid") } },
      crosshair: {
        vertLine: { color: of("--faint"), labelBackgroundColor: of("--label") },
        horzLine: { color: of("--faint"), labelBackgroundColor: of("--label") },
      },
    });
    const [up, down] = [of("--up"), of("--down")];
    this.candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
    this.path.applyOptions({ color: of("--accent") });
    for (const series of [this.past, this.isolated]) series.applyOptions({ color: of("--past") });
    if (this.#drawn) this.draw(...this.#drawn);
  }

  /** Show the last `minutes` minutes. */
  show(minutes) {
    this.#minutes = minutes;
    this.#frame();
  }

  /** `state` is the result of forecastState(). Only a live forecast is drawn. */
  draw(live, state, horizon) {
    this.#drawn = [live, state, horizon];
    const first = live.candles[0];
    if (first) {
      const precision = priceDigits(first[1]);
      this.candles.applyOptions({ priceFormat: { type: "price", precision, minMove: 10 ** -precision } });
    }
    this.candles.setData(withGaps(live.candles));
    this.#drawPast(live.past.filter((row) => row[1] === horizon));
    const path = state === "live" ? pathOf(live.forecast) : [];
    this.path.setData(path.map(({ time, value }) => ({ time, value })));
    this.band.set(
      path.filter((point) => point.upper !== null),
      color(this.container, "--band"),
    );
    if (live.symbol !== this.#symbol || live.newest_candle !== this.#newest) {
      this.#symbol = live.symbol;
      this.#newest = live.newest_candle;
      this.#frame();
    }
    this.container.setAttribute("aria-label", describe(live, path));
  }

  #drawPast(rows) {
    const points = rows
      .map(([candle, ahead, , value, lower, upper]) => ({ time: candle + 60 * ahead, value, lower, upper }))
      .filter(({ time }) => time <= this.#drawn[0].newest_candle);
    this.past.setData(withTransparentGaps(points));
    this.isolated.setData(points.filter(isIsolated).map(({ time, value }) => ({ time, value })));
    this.pastBand.set(
      points.filter((point) => point.upper !== null),
      color(this.container, "--past-band"),
    );
  }

  #frame() {
    const bars = this.#drawn ? withGaps(this.#drawn[0].candles).length : 0;
    if (bars > 0)
      this.chart.timeScale().setVisibleLogicalRange({ from: bars - this.#minutes, to: bars + 5 + this.#minutes / 40 });
  }

  #showHover({ time, seriesData }) {
    const candle = seriesData?.get(this.candles);
    const ahead = seriesData?.get(this.path);
    if (candle?.close !== undefined) {
      const { open, high, low, close } = candle;
      const values = [`O ${price(open)}`, `H ${price(high)}`, `L ${price(low)}`, `C ${price(close)}`];
      this.hover.textContent = [minute(time), ...values].join("  ");
    } else {
      this.hover.textContent = ahead ? `forecast for ${minute(time + 60)}  ${price(ahead.value)}` : "";
    }
  }
}

/** The reference close followed by the five predictions. */
function pathOf(forecast) {
  const [{ candle_time: time, reference_close: value }] = forecast;
  const ahead = forecast.map((row) => ({
    time: row.target_time,
    value: row.predicted_price,
    lower: row.lower_price,
    upper: row.upper_price,
  }));
  const banded = ahead.every((point) => point.upper !== null);
  return [{ time, value, lower: banded ? value : null, upper: banded ? value : null }, ...ahead];
}

/** Candles as the chart expects them. A missing minute becomes an empty bar. */
function withGaps(candles) {
  const found = [];
  for (const [time, open, high, low, close] of candles) {
    for (let missing = (found.at(-1)?.time ?? time - 60) + 60; missing < time; missing += 60)
      found.push({ time: missing });
    found.push({ time, open, high, low, close });
  }
  return found;
}

/** Points of a line. The chart connects all points, so the segment across a gap is transparent. */
function withTransparentGaps(points) {
  return points.map(({ time, value }, at) => {
    const next = points[at + 1];
    return next && next.time - time > 60 ? { time, value, color: "transparent" } : { time, value };
  });
}

const isIsolated = ({ time }, at, points) => time - points[at - 1]?.time !== 60 && points[at + 1]?.time - time !== 60;

/** The text for screen readers. */
function describe(live, path) {
  const last = live.candles.at(-1);
  if (!last) return "No candles.";
  const until = `until ${minute(last[0] + 60)} UTC, last close ${price(last[4])}`;
  const closes = `${live.symbol}: ${decimal(live.candles.length, 0)} minutes of candles ${until}.`;
  const ends = path.at(-1);
  return ends
    ? `${closes} Forecast for ${minute(ends.time + 60)} UTC: ${price(ends.value)}.`
    : `${closes} No live forecast.`;
}

/** The computed value of a CSS custom property: a canvas cannot use custom properties. */
function color(node, name) {
  const probe =
    byId("probe") ?? node.appendChild(Object.assign(document.createElement("span"), { id: "probe", hidden: true }));
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}
