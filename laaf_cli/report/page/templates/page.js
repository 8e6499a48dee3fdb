"use strict";
(() => {
  const all = (pattern, within = document) => [...within.querySelectorAll(pattern)];
  const plotted = () => (window.Bokeh ? Bokeh.documents : []);
  const model = (name) => plotted().map((one) => one.get_model_by_name(name)).find(Boolean);

  // Plots are drawn on canvases, which know no style sheet.
  const dark = matchMedia("(prefers-color-scheme: dark)"), chosen = new Map();
  // A color that a dark page would swallow: black becomes that of text, others are mixed with white.
  const lit = (color) => {
    const [r, g, b] = [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
    if (!dark.matches || 0.299 * r + 0.587 * g + 0.114 * b > 90) return color;
    return r + g + b === 0 ? "#e8e8e8" : `#${[r, g, b].map((c) => ((c + 255) >> 1).toString(16)).join("")}`;
  };
  const ink = () => {
    const color = dark.matches ? "#e8e8e8" : "#1a1a1a";
    for (const one of plotted()) for (const part of one.all_models ?? one._all_models.values()) {
      for (const name of ["line_color", "fill_color"]) if (name in part.properties) {
        const key = part.id + name, now = part[name]?.value ?? part[name];
        if (!chosen.has(key)) chosen.set(key, now === "black" ? "#000000" : now);
        const first = chosen.get(key);
        if (/^#[0-9a-f]{6}$/i.test(first) && lit(first) !== now) part[name] = lit(first);
      }
      if (!/Axis|Legend|ColorBar|Title/.test(part.type) && part.name !== "ink") continue;
      for (const name of Object.keys(part.properties)) if (/(text|axis_line|tick_line)_color$/.test(name)) part[name] = color;
    }
  };
  dark.addEventListener("change", ink);

  const slider = document.querySelector("input[data-times]");
  const times = slider ? JSON.parse(slider.dataset.times) : [];
  const show = () => {
    const j = Number(slider.value);
    const moment = `t = ${Number(times[j].toPrecision(4))}`;
    slider.parentElement.nextElementSibling.textContent = moment;
    slider.setAttribute("aria-valuetext", `t = ${times[j].toPrecision(4)}`);
    for (const unknown of all("[data-of]").map((part) => part.dataset.of)) {
      const slice = model(`${unknown} slice`), title = model(`${unknown} title`), lines = {...slice?.data};
      if (title) title.text = `${unknown} at ${moment}`;
      for (const part of ["solution", "reference", "error"]) {
        const source = model(`${unknown} ${part}`), mark = model(`${unknown} ${part} moment`);
        if (mark) mark.location = times[j];
        if (!source) continue;
        const image = source.data.image[0], frames = source.data.frames?.[0];
        if (frames) {
          const n = image.length;
          image.set(new Float32Array(frames.buffer, frames.byteOffset + 4 * n * j, n));
          source.change.emit();
        } else if (part in lines) {
          lines[part] = Float64Array.from(lines.x, (_, i) => image[i * times.length + j]);
        }
      }
      if (slice && times.length) slice.data = lines;
    }
  };
  slider?.addEventListener("input", show);
  window.showTime = (time) => {
    slider.value = times.reduce((best, one, j) => (Math.abs(one - time) < Math.abs(times[best] - time) ? j : best), 0);
    show();
  };

  const choice = document.querySelector("select[data-choice]");
  const choose = () => all("[data-of]").forEach((part) => { part.hidden = part.dataset.of !== choice.value; });
  choice?.addEventListener("change", choose);

  for (const button of all("[data-copy]")) button.addEventListener("click", async () => {
    const text = button.parentElement.querySelector("pre");
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(text);
    }
  });

  for (const table of all("table[data-sorts]")) {
    const body = table.tBodies[0], heads = all("thead th", table);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const key = (row) => row.cells[column].textContent.trim();
        const number = (text) => (Number.isNaN(parseFloat(text)) ? Infinity : parseFloat(text));
        const order = (a, b) => number(key(a)) - number(key(b)) || key(a).localeCompare(key(b));
        const finite = (a, b) => (number(key(a)) === number(key(b)) ? key(a).localeCompare(key(b)) : order(a, b));
        body.append(...[...body.rows].sort((a, b) => (up ? finite(a, b) : finite(b, a))));
      });
    });
    table.closest("section").querySelector("[data-filter]")?.addEventListener("input", (event) => {
      for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(event.target.value.toLowerCase());
    });
  }

  // Fields that are true to scale are as large as a phone takes; elsewhere there is more room.
  const grow = () => {
    for (const plot of plotted().flatMap((one) => one.roots())) {
      const place = document.querySelector(`[data-root-id="${plot.id}"]`);
      if (!place || !plot.frame_width) continue;
      const scale = Math.min(1.6, (place.closest(".plot").clientWidth - 130) / Math.max(plot.frame_width, plot.frame_height));
      if (scale > 1) plot.setv({frame_width: Math.round(scale * plot.frame_width), frame_height: Math.round(scale * plot.frame_height)});
    }
  };

  // A page that reloads itself keeps what was chosen.
  const restore = () => {
    const reload = document.querySelector("[data-reload]");
    if (!reload) return;
    const again = () => { if (reload.checked) location.reload(); };
    setInterval(again, 1000 * Number(reload.dataset.reload));
    for (const control of [slider, choice].filter(Boolean)) {
      const name = location.pathname + control.tagName, kept = sessionStorage.getItem(name);
      if (kept !== null) control.value = kept;
      control.addEventListener("change", () => sessionStorage.setItem(name, control.value));
    }
    if (slider) show();
  };

  const ready = () => {
    ink();
    document.documentElement.classList.add("ready");
    grow();
    restore();
    if (choice) choose();
  };
  const wait = () => {
    const places = all(".plot").length, drawn = plotted().length;
    if (!places || drawn) ready(); else if (window.Bokeh) setTimeout(wait, 30);
  };
  addEventListener("load", wait);
})();
