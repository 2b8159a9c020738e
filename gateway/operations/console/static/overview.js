// Keeps the overview up to date: texts, curves, rows and tiles of the page that the server has made.

import { follow } from "./live.js";

const TONES = ["good", "bad", "warn"];

function tone(element, name) {
  element.classList.remove(...TONES);
  if (TONES.includes(name)) element.classList.add(name);
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function showTexts(texts, tones) {
  for (const element of document.querySelectorAll("[data-text]")) {
    const name = element.dataset.text;
    if (!(name in texts)) continue;
    setText(element, texts[name]);
    tone(element, tones[name]);
  }
}

function showCurves(curves) {
  for (const line of document.querySelectorAll("[data-curve]")) {
    line.setAttribute("points", curves[line.dataset.curve] ?? "");
  }
}

function rowOf(cells) {
  const row = document.createElement("tr");
  for (const [text, name] of cells) {
    const cell = document.createElement("td");
    cell.textContent = text;
    tone(cell, name);
    row.append(cell);
  }
  return row;
}

function showRows(rows) {
  for (const body of document.querySelectorAll("[data-rows]")) {
    const found = rows[body.dataset.rows];
    const now = JSON.stringify(found);
    if (found === undefined || body.dataset.shown === now) continue;
    body.dataset.shown = now;
    if (found.length) {
      body.replaceChildren(...found.map(rowOf));
    } else {
      const none = rowOf([[body.dataset.none, ""]]);
      none.firstChild.colSpan = body.parentElement.tHead.rows[0].cells.length;
      none.className = "nothing";
      none.firstChild.className = "muted";
      body.replaceChildren(none);
    }
  }
}

function showTiles(tiles) {
  for (const tile of document.querySelectorAll("[data-province]")) {
    const found = tiles[tile.dataset.province];
    if (found === undefined) continue;
    const [value, heat, full] = found;
    setText(tile.querySelector(".tile-value"), value);
    const titled = tile.querySelector("[title]");
    if (titled) titled.title = full;
    for (const name of [...tile.classList]) if (name.startsWith("heat-")) tile.classList.remove(name);
    tile.classList.add(`heat-${heat}`);
  }
}

function show(event) {
  const board = JSON.parse(event.data);
  showTexts(board.texts, board.tones);
  showCurves(board.curves);
  showRows(board.rows);
  showTiles(board.tiles);
}

follow("/live/overview", { overview: show }, document.getElementById("live"));
