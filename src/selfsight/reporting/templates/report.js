"use strict";
// Theme: the reader's system decides until the button is pressed.
{
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const told = () => {
    button.textContent = dark() ? "Light" : "Dark";
    document.dispatchEvent(new Event("theme"));
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    told();
  });
  system.addEventListener("change", told);
  button.textContent = dark() ? "Light" : "Dark";
}

// Code can be copied.
if (navigator.clipboard) {
  for (const block of document.querySelectorAll("pre")) {
    const button = document.createElement("button");
    const code = block.textContent;
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(code);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    block.append(button);
  }
}

// Charts: the point nearest to the pointer is read out beneath.
for (const chart of document.querySelectorAll("svg.chart")) {
  const points = JSON.parse(chart.dataset.points).sort((a, b) => a[0] - b[0]);
  const cursor = chart.querySelector(".cursor");
  const line = cursor.querySelector("line");
  const dot = cursor.querySelector("circle");
  const output = chart.closest("figure").querySelector("output");
  let at = -1;
  const show = (index) => {
    at = Math.max(0, Math.min(points.length - 1, index));
    const [x, y, text] = points[at];
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    dot.setAttribute("cx", x);
    dot.setAttribute("cy", y);
    cursor.style.display = "";
    output.textContent = text;
  };
  const clear = () => {
    at = -1;
    cursor.style.display = "none";
    output.textContent = "";
  };
  clear();
  chart.addEventListener("pointermove", (event) => {
    const box = chart.getBoundingClientRect();
    const scale = chart.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale;
    const y = (event.clientY - box.top) * scale;
    let best = 0;
    let least = Infinity;
    points.forEach((point, index) => {
      const distance = 4 * (point[0] - x) ** 2 + (point[1] - y) ** 2;
      if (distance < least) { least = distance; best = index; }
    });
    show(best);
  });
  chart.addEventListener("pointerleave", clear);
  chart.addEventListener("blur", clear);
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    show(at < 0 ? (step > 0 ? 0 : points.length - 1) : at + step);
    event.preventDefault();
  });
}

// The map.
for (const map of document.querySelectorAll(".map")) {
  const data = JSON.parse(map.querySelector("script").textContent);
  const sheet = map.querySelector(".sheet");
  const stage = map.querySelector(".stage");
  const canvas = stage.querySelector("canvas");
  const tip = map.querySelector(".tip");
  const chosen = map.querySelector(".chosen");
  const count = data.places.length;
  // Paul Tol's "bright" scheme (lighter on dark paper), told apart by all common kinds of colour vision; beyond six
  // classes the shape of the mark changes too.
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const inks = () => [0, 1, 2, 3, 4, 5].map((number) => style(`--mark-${number}`));
  let palette = inks();
  const shapes = [
    (c, r) => c.arc(0, 0, r, 0, 2 * Math.PI),
    (c, r) => polygon(c, [[0, -1.35], [1.2, 0.85], [-1.2, 0.85]], r),
    (c, r) => c.rect(-0.9 * r, -0.9 * r, 1.8 * r, 1.8 * r),
    (c, r) => polygon(c, [[0, -1.4], [1.4, 0], [0, 1.4], [-1.4, 0]], r),
    (c, r) => polygon(c, [[0, 1.35], [1.2, -0.85], [-1.2, -0.85]], r),
  ];
  const extent = [0, 1].map((axis) => Math.max(1, ...data.places.map((place) => place[axis])));
  const visible = data.names.map(() => true);
  let hovered = -1, selected = -1, lit = -1, pictures = false;
  let zoom = 1, shift = [0, 0], size = [1, 1], due = false;

  function polygon(c, corners, r) {
    corners.forEach(([x, y], index) => (index ? c.lineTo(x * r, y * r) : c.moveTo(x * r, y * r)));
    c.closePath();
  }
  const colour = (group) =>
    group === data.unlabelled && data.names.length > 1 ? "#8c8f94" : palette[group % palette.length];

  function mark(c, group, x, y, r) {
    c.save();
    c.translate(x, y);
    c.beginPath();
    shapes[Math.floor(group / palette.length) % shapes.length](c, r);
    c.fillStyle = colour(group);
    c.fill();
    c.restore();
  }
  function tile(c, index, x, y, side) {
    const column = index % data.across, row = Math.floor(index / data.across);
    c.drawImage(sheet, column * data.tile, row * data.tile, data.tile, data.tile, x, y, side, side);
  }
  function fit() {
    const room = 26;
    return Math.min((size[0] - 2 * room) / extent[0], (size[1] - 2 * room) / extent[1]);
  }
  function place(index) {
    const scale = fit();
    return [0, 1].map((axis) =>
      size[axis] / 2 + (data.places[index][axis] - extent[axis] / 2) * scale * zoom + shift[axis]);
  }
  function draw() {
    due = false;
    const c = canvas.getContext("2d");
    const sharp = window.devicePixelRatio || 1;
    canvas.width = size[0] * sharp;
    canvas.height = size[1] * sharp;
    c.scale(sharp, sharp);
    const radius = Math.min(7, (count > 600 ? 3.1 : 4.2) * Math.sqrt(zoom));
    const side = Math.min(64, (count > 600 ? 20 : 28) * Math.sqrt(zoom));
    c.imageSmoothingEnabled = side < data.tile;
    const order = [...data.places.keys()].sort((a, b) => (data.group[a] === lit) - (data.group[b] === lit));
    for (const index of order) {
      const group = data.group[index];
      if (!visible[group]) continue;
      const [x, y] = place(index);
      if (x < -40 || y < -40 || x > size[0] + 40 || y > size[1] + 40) continue;
      c.globalAlpha = lit >= 0 && group !== lit ? 0.12 : 0.86;
      if (pictures) {
        tile(c, index, x - side / 2, y - side / 2, side);
        c.strokeStyle = colour(group);
        c.lineWidth = 1.5;
        c.strokeRect(x - side / 2, y - side / 2, side, side);
      } else mark(c, group, x, y, radius);
    }
    c.globalAlpha = 1;
    if (selected >= 0) {
      const from = place(selected);
      c.strokeStyle = style("--ink");
      c.lineWidth = 1;
      for (const other of data.near[selected]) {
        c.globalAlpha = 0.55;
        c.beginPath();
        c.moveTo(...from);
        c.lineTo(...place(other));
        c.stroke();
      }
      c.globalAlpha = 1;
    }
    for (const index of [selected, hovered]) if (index >= 0) {
      const [x, y] = place(index);
      c.strokeStyle = style("--ink");
      c.lineWidth = 1.6;
      c.beginPath();
      if (pictures) {
        tile(c, index, x - side * 0.7, y - side * 0.7, side * 1.4);
        c.rect(x - side * 0.7, y - side * 0.7, side * 1.4, side * 1.4);
      } else {
        mark(c, data.group[index], x, y, radius + 2);
        c.beginPath();
        c.arc(x, y, radius + 5, 0, 2 * Math.PI);
      }
      c.stroke();
    }
  }
  function redraw() {
    if (!due) { due = true; requestAnimationFrame(draw); }
  }
  function thumb(index) {
    const picture = document.createElement("canvas");
    picture.width = picture.height = data.tile;
    tile(picture.getContext("2d"), index, 0, 0, data.tile);
    return picture;
  }
  function hover(index) {
    hovered = index;
    canvas.dataset.hovered = index;
    tip.hidden = index < 0;
    if (index >= 0) {
      const picture = tip.querySelector("canvas");
      picture.width = picture.height = data.tile;
      tile(picture.getContext("2d"), index, 0, 0, data.tile);
      tip.querySelector("b").textContent = data.names.length > 1 || data.unlabelled < 0 ? data.names[data.group[index]] : "";
      tip.querySelector("span").textContent = data.paths[index];
      const [x, y] = place(index);
      const right = x + 16 + tip.offsetWidth < size[0];
      tip.style.left = `${Math.max(4, right ? x + 14 : x - 14 - tip.offsetWidth)}px`;
      tip.style.top = `${Math.max(4, Math.min(size[1] - tip.offsetHeight - 4, y - tip.offsetHeight / 2))}px`;
    }
    redraw();
  }
  function select(index) {
    selected = index;
    const tiles = index < 0 ? [] : [index, ...data.near[index]].map((other) => {
      const figure = document.createElement("figure");
      const words = document.createElement("figcaption");
      const name = data.names[data.group[other]];
      const known = data.group[index] !== data.unlabelled && data.group[other] !== data.unlabelled;
      const sign = other === index || !known ? "" : data.group[other] === data.group[index] ? "✓ " : "✗ ";
      words.textContent = known || data.names.length > 1 ? sign + name : "";
      figure.title = data.paths[other];
      figure.append(thumb(other), words);
      return figure;
    });
    chosen.replaceChildren(...tiles);
    redraw();
  }
  function nearestMark(x, y, reach) {
    let best = -1, least = reach ** 2;
    for (let index = 0; index < count; index++) {
      if (!visible[data.group[index]]) continue;
      const [px, py] = place(index);
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) { least = distance; best = index; }
    }
    return best;
  }
  function zoomBy(factor, x = size[0] / 2, y = size[1] / 2) {
    const wanted = Math.max(1, Math.min(40, zoom * factor));
    const ratio = wanted / zoom;
    shift = [(x - size[0] / 2) * (1 - ratio) + shift[0] * ratio, (y - size[1] / 2) * (1 - ratio) + shift[1] * ratio];
    zoom = wanted;
    if (zoom === 1) shift = [0, 0];
    hover(-1);
  }
  function step(key) {
    const from = hovered >= 0 ? hovered : selected;
    if (from < 0) return hover(nearestMark(size[0] / 2, size[1] / 2, Infinity));
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    const [x, y] = place(from);
    let best = from, least = Infinity;
    for (let index = 0; index < count; index++) {
      if (index === from || !visible[data.group[index]]) continue;
      const [px, py] = place(index);
      const along = (px - x) * dx + (py - y) * dy;
      const aside = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
      const cost = along + 2.5 * aside;
      if (along > 0.5 && aside <= 1.5 * along && cost < least) { least = cost; best = index; }
    }
    hover(best);
  }

  let drag = null;
  const spot = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse") canvas.setPointerCapture(event.pointerId);
    drag = { at: spot(event), shift: [...shift], moved: false };
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = spot(event);
    if (drag && event.pointerType === "mouse" && (drag.moved || Math.hypot(x - drag.at[0], y - drag.at[1]) > 4)) {
      drag.moved = true;
      shift = [drag.shift[0] + x - drag.at[0], drag.shift[1] + y - drag.at[1]];
      hover(-1);
    } else hover(nearestMark(x, y, 18));
  });
  canvas.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved) {
      const found = nearestMark(...spot(event), 24);
      select(found === selected ? -1 : found);
      hover(found);
    }
    drag = null;
  });
  canvas.addEventListener("pointercancel", () => { drag = null; });
  canvas.addEventListener("pointerleave", () => { if (!drag) hover(-1); });
  canvas.addEventListener("wheel", (event) => {
    // The page must stay scrollable: the wheel zooms with Ctrl, or once the map has the focus.
    if (!event.ctrlKey && document.activeElement !== canvas) return;
    event.preventDefault();
    zoomBy(Math.exp(-event.deltaY * 0.0016), ...spot(event));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (event.key.startsWith("Arrow")) step(event.key);
    else if (event.key === "Enter" || event.key === " ") select(hovered);
    else if (event.key === "+" || event.key === "=") zoomBy(1.5);
    else if (event.key === "-") zoomBy(1 / 1.5);
    else if (event.key === "Escape") { select(-1); zoomBy(0); }
    else return;
    event.preventDefault();
  });
  map.querySelector(".tools").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const about = selected >= 0 ? place(selected) : undefined;
    if (button.dataset.do === "in") zoomBy(1.6, ...(about || []));
    if (button.dataset.do === "out") zoomBy(1 / 1.6, ...(about || []));
    if (button.dataset.do === "whole") zoomBy(0);
    if (button.dataset.do === "pictures") {
      pictures = !pictures;
      button.setAttribute("aria-pressed", pictures);
      redraw();
    }
  });
  for (const button of map.querySelectorAll(".legend button")) {
    const group = Number(button.dataset.group);
    button.addEventListener("click", (event) => {
      if (event.altKey) visible.forEach((_, other) => { visible[other] = other === group; });
      else visible[group] = !visible[group];
      for (const other of map.querySelectorAll(".legend button"))
        other.setAttribute("aria-pressed", visible[Number(other.dataset.group)]);
      hover(-1);
    });
    button.addEventListener("pointerenter", () => { lit = visible[group] ? group : -1; redraw(); });
    button.addEventListener("pointerleave", () => { lit = -1; redraw(); });
  }
  const measure = () => {
    size = [canvas.clientWidth, canvas.clientHeight];
    draw(); // at once: setting the size has emptied the canvas
  };
  measure();
  new ResizeObserver(measure).observe(stage);
  const paintLegend = () => {
    palette = inks();
    for (const button of map.querySelectorAll(".legend button")) {
      const c = button.querySelector("canvas").getContext("2d");
      c.clearRect(0, 0, 28, 28);
      mark(c, Number(button.dataset.group), 14, 14, 9);
    }
  };
  paintLegend();
  document.addEventListener("theme", () => { paintLegend(); redraw(); });
  addEventListener("beforeprint", draw);
  sheet.complete || sheet.addEventListener("load", redraw);
}
