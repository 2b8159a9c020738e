// Shows one SMS anew each time that it has changed. Without this script the page has a link to load it again.
import { follow } from "./live.js";

const place = document.getElementById("life");
if (place && place.dataset.live) {
  const life = (event) => {
    const told = JSON.parse(event.data);
    place.innerHTML = told.html; // made and escaped by the server
    if (told.over) end();
  };
  const state = document.getElementById("live");
  const close = follow(place.dataset.live, { life, end: () => end() }, state);
  const end = () => {
    close();
    state.textContent = "";
  };
}
