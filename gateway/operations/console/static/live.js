// Follows a stream of the gateway, and comes back to it after whatever has ended it; says how that is.
// state: the element that says it, with data-on, data-off and data-ended (the visitor was logged out).
const AGAIN = 3000;

export function follow(address, events, state) {
  let source, timer;
  const say = (name) => {
    const text = state?.dataset[name];
    if (text && state.textContent !== text) state.textContent = text;
  };
  const open = () => {
    source = new EventSource(address);
    source.addEventListener("open", () => say("on"));
    source.addEventListener("error", () => {
      say("off");
      // The browser does not try again by itself after a status that is no success.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(again, AGAIN);
    });
    for (const [name, heard] of Object.entries(events)) source.addEventListener(name, heard);
  };
  const again = async () => {
    const asking = new AbortController();
    try {
      const answer = await fetch(address, { signal: asking.signal });
      asking.abort();
      if (answer.status === 401 || answer.status === 403) return say("ended");
      if (answer.status === 404) return;
    } catch {
      // The gateway does not answer yet.
    }
    open();
  };
  const close = () => {
    clearTimeout(timer);
    source.close();
  };
  open();
  // A page that is left closes its stream at once: its place is free for another one.
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  return close;
}
