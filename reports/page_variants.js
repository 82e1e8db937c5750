// Kernel against kernel: the time of every variant at every shape, and how much faster than the
// dense FP32 product that is; for one device and batch at a time.
"use strict";
function addSelect(parent, label, values, show, changed) {
  const select = append(append(parent, "label", { textContent: `${label} ` }), "select");
  values.forEach((value, index) => {
    append(select, "option", { value: index, textContent: show(value) });
  });
  select.addEventListener("change", changed);
  return () => values[select.value];
}

// Of objects, the first of each with the same `key`.
function firstOfEach(objects, key) {
  return [...new Map(objects.map((object) => [key(object), object]).reverse()).values()].reverse();
}

// The beginning that all names share says nothing in a chart; whole words only.
function commonStart(names) {
  const words = names[0].split("_");
  const start = () => words.map((word) => `${word}_`).join("");
  while (!names.every((name) => name.startsWith(start()))) words.pop();
  return start();
}

// Rows are variants; a point for every shape, small shapes first.
function describeVariants(cases, valueOf, axisOf, empty) {
  const shown = cases.filter(valueOf);
  const named = new Set(shown.map((c) => c.variant));
  // In the order of the whole run, which does not depend on what of it is shown.
  const variants = [...new Set(chartData.cases.map((c) => c.variant))].filter((v) => named.has(v));
  const shapes = firstOfEach(shown, shapeOf).sort((a, b) => a.n * a.k - b.n * b.k).map(shapeOf);
  const start = variants.length > 0 ? commonStart(variants) : "";
  const datasets = shapes.map((shape, index) =>
    series(shape,
      shown.filter((c) => shapeOf(c) === shape).map((c) => (
        { x: valueOf(c), y: c.variant.slice(start.length), row: c.row, text: caseText(c) })),
      scaleColor(index, shapes.length), index));
  const labels = variants.map((variant) => variant.slice(start.length));
  const names = axis("", { type: "category", labels, offset: true });
  names.ticks.autoSkip = false;
  names.ticks.color = themeColor("ink");
  const scales = { x: axisOf(rangeOf(shown.map(valueOf))), y: names };
  return { datasets, scales, height: 80 + 28 * labels.length, empty };
}

if (chartData.cases.length > 0) {
  const draw = [];
  const changed = () => draw.forEach((redraw) => redraw());
  const controls = append(document.getElementById("charts"), "p", { className: "controls" });
  const devices = chartData.devices.filter((d) => chartData.cases.some((c) => c.device === d.id));
  const batches = firstOfEach(chartData.cases, (c) => `${c.batch} ${c.hot}`)
    .sort((a, b) => a.batch - b.batch || a.hot - b.hot);
  const device = addSelect(controls, "Device", devices, (d) => d.id, changed);
  const batch = addSelect(controls, "Batch", batches,
    (c) => `${c.batch}${c.hot ? ", weights cached" : ""}`, changed);
  const chosen = () => chartData.cases.filter((c) =>
    c.device === device().id && c.batch === batch().batch && c.hot === batch().hot);
  draw.push(addFigure("Time by variant and shape", () =>
    describeVariants(chosen(), (c) => c.median_s,
      (range) => logAxis("time of a launch", showSeconds, range),
      "No such case was timed on this device."), true));
  draw.push(addFigure("Speed-up over the dense FP32 product", () =>
    describeVariants(chosen(), (c) => c.speedup,
      (range) => logAxis("times as fast", (value) => `${threeDigits(value)}×`, range),
      "This run timed no dense FP32 product of this batch to compare with."), true));
}
