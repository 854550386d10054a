"use strict";
// Draws the curves of runs into the page's two charts, and draws them anew when what they depend on changes.
function drawCurves({unit, runs}) {
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const money = value => value == null ? "" : value.toLocaleString("en", {maximumFractionDigits: Math.abs(value) < 100 ? 2 : 0});
  const percent = value => value == null ? "" : (100 * value).toFixed(1) + "%";

  function curves(own, held) {
    const tables = [], names = [];
    runs.forEach((run, index) => {
      const columns = [[run.name, run[own], "--c" + (index === 0 ? 0 : index + 1)]];
      if (run[held]) columns.push([run.heldName, run[held], "--c" + (index + 1), runs.length > 1 ? [4, 4] : []]);
      tables.push([run.time, ...columns.map(column => column[1])]);
      names.push(...columns);
    });
    return {data: tables.length > 1 ? uPlot.join(tables) : tables[0], names};
  }

  function draw(id, own, held, options) {
    const {data, names} = curves(own, held);
    const place = document.getElementById(id);
    const axis = {stroke: colour("--text"), grid: {stroke: colour("--line"), width: 1}, ticks: {stroke: colour("--line")}};
    const day = 86400;
    const written = (step, iso) => step >= 365 * day ? iso.slice(0, 4) : step >= 28 * day ? iso.slice(0, 7) : step >= day ? iso.slice(0, 10) : iso.slice(5, 16).replace("T", " ");
    const dates = {...axis, space: (_, __, min, max) => max - min > 3 * 365 * day ? 44 : 84, values: (_, ticks, __, ___, step) => ticks.map(tick => written(step, new Date(1000 * tick).toISOString()))};
    const one = data[0].length === 1;
    const shown = value => value == null ? "" : new Date(1000 * value).toISOString().slice(0, 16).replace("T", " ");
    const series = names.map(([label, , name, dash]) => ({
      label, stroke: colour(name), dash, width: 1.5, spanGaps: true, points: {show: one}, value: (_, value) => options.format(value),
    }));
    const plot = new uPlot({
      width: place.clientWidth, height: options.height, series: [{label: "UTC", value: (_, value) => shown(value)}, ...series],
      tzDate: seconds => uPlot.tzDate(new Date(1000 * seconds), "Etc/UTC"),
      scales: {x: one ? {range: [data[0][0] - day, data[0][0] + day]} : {}, y: {distr: options.log ? 3 : 1}},
      axes: [dates, {...axis, size: 78, values: (_, ticks) => ticks.map(options.format), label: options.label, labelSize: 20}],
      cursor: {sync: {key: "time"}, drag: {x: true, y: false}},
      hooks: {setScale: [(changed, key) => {
        if (key !== "x") return;
        const {min, max} = changed.scales.x;
        for (const other of plots) {
          if (other !== changed && (other.scales.x.min !== min || other.scales.x.max !== max)) other.setScale("x", {min, max});
        }
      }]},
    }, data, place);
    return plot;
  }

  let plots = [];
  function drawAll() {
    plots.forEach(plot => plot.destroy());
    plots = [];
    const log = document.getElementById("log").checked;
    const drawn = [
      draw("equity-chart", "equity", "held", {height: 320, format: money, label: unit, log}),
      draw("drawdown-chart", "drawdown", "heldDrawdown", {height: 170, format: percent, label: "drawdown"}),
    ];
    plots = drawn;
  }

  drawAll();
  document.getElementById("log").addEventListener("change", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  addEventListener("resize", () => plots.forEach(plot => plot.setSize({width: plot.root.parentElement.clientWidth, height: plot.height})));
  document.documentElement.dataset.drawn = String(plots.length);
  return drawAll;
}
