"use strict";
(() => {
  const all = (pattern, within = document) => [...within.querySelectorAll(pattern)];
  const plotted = () => (window.Bokeh ? Bokeh.documents : []);
  const model = (name) => plotted().map((one) => one.get_model_by_name(name)).find(Boolean);

  // Plots are drawn on canvases, which know no style sheet.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const ink = () => {
    const color = dark.matches ? "#e8e8e8" : "#1a1a1a";
    for (const one of plotted()) for (const part of one.all_models ?? one._all_models.values()) {
      if (!/Axis|Legend|ColorBar|Title/.test(part.type)) continue;
      for (const name of Object.keys(part.properties)) if (/(text|axis_line|tick_line)_color$/.test(name)) part[name] = color;
    }
  };
  dark.addEventListener("change", ink);

  const slider = document.querySelector("input[data-times]");
  const times = slider ? JSON.parse(slider.dataset.times) : [];
  const show = () => {
    const j = Number(slider.value);
    slider.parentElement.nextElementSibling.textContent = `t = ${Number(times[j].toPrecision(4))}`;
    slider.setAttribute("aria-valuetext", `t = ${times[j].toPrecision(4)}`);
    for (const unknown of all("[data-of]").map((part) => part.dataset.of)) {
      const slice = model(`${unknown} slice`), lines = {...slice?.data};
      for (const part of ["solution", "reference", "error"]) {
        const source = model(`${unknown} ${part}`), moment = model(`${unknown} ${part} moment`);
        if (moment) moment.location = times[j];
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
    restore();
    if (choice) choose();
  };
  const wait = () => {
    const places = all(".plot").length, drawn = plotted().length;
    if (!places || drawn) ready(); else if (window.Bokeh) setTimeout(wait, 30);
  };
  addEventListener("load", wait);
})();
