// Shows one SMS anew each time that it has changed. Without this script the page has a link to load it again.
const place = document.getElementById("life");
if (place && place.dataset.live) {
  const source = new EventSource(place.dataset.live);
  source.addEventListener("life", (event) => {
    const told = JSON.parse(event.data);
    place.innerHTML = told.html; // made and escaped by the server
    if (told.over) source.close();
  });
  source.addEventListener("end", () => source.close());
}
