// A filled price interval over time, drawn behind the candles: a primitive of lightweight-charts.

/** Points are {time, lower, upper}, one minute apart. A gap between points is not filled. */
export class Band {
  #points = [];
  #color = "transparent";
  #attached = null;

  attached(attached) {
    this.#attached = attached;
  }

  detached() {
    this.#attached = null;
  }

  set(points, color) {
    this.#points = points;
    this.#color = color;
    this.#attached?.requestUpdate();
  }

  paneViews() {
    return [{ zOrder: () => "bottom", renderer: () => ({ draw: (target) => this.#draw(target) }) }];
  }

  /** Include the interval in the automatic price scale. */
  autoscaleInfo(from, to) {
    if (!this.#attached) return null;
    const scale = this.#attached.chart.timeScale();
    const visible = this.#points.filter(({ time }) => {
      const at = scale.timeToIndex(time, true);
      return at !== null && at >= from && at <= to;
    });
    if (visible.length === 0) return null;
    const minValue = Math.min(...visible.map((point) => point.lower));
    const maxValue = Math.max(...visible.map((point) => point.upper));
    return { priceRange: { minValue, maxValue } };
  }

  #draw(target) {
    if (!this.#attached) return;
    target.useMediaCoordinateSpace(({ context }) => {
      context.fillStyle = this.#color;
      for (const run of runs(this.#points)) this.#fill(context, run);
    });
  }

  #fill(context, run) {
    const { chart, series } = this.#attached;
    const scale = chart.timeScale();
    const corners = run
      .map(({ time, lower, upper }) => [
        scale.timeToCoordinate(time),
        series.priceToCoordinate(lower),
        series.priceToCoordinate(upper),
      ])
      .filter((corner) => corner.every((value) => value !== null));
    if (corners.length < 2) return;
    context.beginPath();
    for (const [x, , upper] of corners) context.lineTo(x, upper);
    for (const [x, lower] of corners.reverse()) context.lineTo(x, lower);
    context.closePath();
    context.fill();
  }
}

function runs(points) {
  const found = [];
  for (const point of points) {
    const last = found.at(-1)?.at(-1);
    if (last && point.time - last.time === 60) found.at(-1).push(point);
    else found.push([point]);
  }
  return found;
}
