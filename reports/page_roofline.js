// The roofline of every device: what it can do at best, and where each timed case is.
"use strict";
const opNames = {
  matmul: "ternary × int8",
  matmul_half: "ternary × FP16",
  matmul_dense: "dense FP32",
  layers: "all layers",
  products: "their products",
};

// Reading from memory and from the fastest cache; every arithmetic rate.
function roofLines(roofs) {
  const reading = roofs.filter((roof) => roof.kind === "read_bw");
  const largest = (key) => reading.reduce((a, b) => (a[key] > b[key] ? a : b), reading[0]);
  return {
    slopes: [...new Set([largest("footprint_bytes"), largest("per_s")])].filter(Boolean),
    ceilings: roofs.filter((roof) => /_(dot|matrix|mad|fma)$/.test(roof.kind)),
  };
}

function roofSets({ slopes, ceilings }, x, y) {
  const color = themeColor("roof");
  const top = Math.max(...ceilings.map((roof) => roof.per_s), 0) || Infinity;
  const steepest = Math.max(...slopes.map((roof) => roof.per_s));
  const sets = slopes.map((roof) => {
    const from = Math.max(x.min, y.min / roof.per_s);
    const to = Math.min(x.max, y.max / roof.per_s, top / roof.per_s);
    return line({ x: from, y: from * roof.per_s }, { x: to, y: to * roof.per_s }, color,
      `${roof.name}: ${showRate(roof.per_s, "B")}`);
  });
  return sets.concat(ceilings.map((roof) => {
    const from = Math.max(x.min, slopes.length ? roof.per_s / steepest : x.min);
    return line({ x: from, y: roof.per_s }, { x: x.max, y: roof.per_s }, color,
      `${roof.name}: ${showRate(roof.per_s, "OP")}`);
  }));
}

// A series for each op, cold and cached, and one for what cannot be.
function caseSets(cases) {
  const bad = themeColor("bad");
  const point = (c) => ({ x: c.ops_per_byte, y: c.ops_per_s, row: c.row, text: caseText(c) });
  const sets = Object.keys(opNames).flatMap((op, index) =>
    [false, true].map((hot) =>
      series(
        opNames[op] + (hot ? ", weights cached" : ""),
        cases.filter((c) => c.op === op && c.hot === hot && !c.above_roof).map(point),
        themeColor(`series-${index}`), index, hot)));
  sets.push(series("above the limit: a cache or a clock is wrong",
    cases.filter((c) => c.above_roof).map(point), bad, 3));
  return sets.filter(({ data }) => data.length > 0);
}

function describeRoofline(device, cases) {
  const { slopes, ceilings } = roofLines(device.roofs);
  const rates = cases.map((c) => c.ops_per_s);
  const bytes = cases.map((c) => c.ops_per_byte);
  const tops = ceilings.map((roof) => roof.per_s);
  const y = { min: Math.min(...rates) / 2, max: 2 * Math.max(...rates, ...tops) };
  // Wide enough to show where the slope of memory meets the highest ceiling.
  const ridges = slopes.flatMap((slope) => tops.map((top) => top / slope.per_s));
  const x = { min: Math.min(...bytes) / 2, max: 2 * Math.max(...bytes, ...ridges) };
  return {
    datasets: caseSets(cases).concat(roofSets({ slopes, ceilings }, x, y)),
    scales: {
      x: logAxis("operations per byte moved", threeDigits, x),
      y: logAxis("operations per second", (value) => showRate(value, "OP"), y),
    },
  };
}

for (const device of chartData.devices) {
  const cases = chartData.cases.filter((c) => c.device === device.id);
  if (cases.length > 0) {
    addFigure(`Roofline of ${device.id}: ${device.name}`, () => describeRoofline(device, cases));
  }
}
