// Makes the page of phones live: SMS come by themselves, and an SMS is sent without a new page.
import { follow } from "./live.js";

const phones = document.querySelector(".phones");
const template = document.getElementById("sms");
const words = document.getElementById("words").dataset;
const state = document.getElementById("live");
const most = Number(phones.dataset.kept);

function of(number) {
  return [...phones.children].find((each) => each.dataset.phone === number);
}

function fill(item, sms) {
  item.dataset.number = sms.number;
  item.classList.toggle("in", sms.received);
  item.classList.toggle("out", !sms.received);
  item.querySelector(".way").textContent = sms.received ? words.from : words.to;
  item.querySelector(".other").textContent = sms.other;
  item.querySelector(".text").textContent = sms.text;
  item.querySelector(".said").textContent = sms.said;
  item.querySelector(".state").classList.toggle("bad", sms.state === "failed" || sms.state === "unknown");
  const time = item.querySelector("time");
  time.dateTime = sms.at;
  time.textContent = sms.time;
  const life = item.querySelector(".life");
  life.hidden = !sms.message_id;
  if (sms.message_id) life.href = `/messages/${encodeURIComponent(sms.message_id)}`;
}

function show(sms) {
  const phone = of(sms.phone);
  if (!phone) return;
  const list = phone.querySelector("ol");
  let item = [...list.children].find((each) => each.dataset.number === String(sms.number));
  if (item) {
    fill(item, sms);
    if (item === list.lastElementChild) down(phone);
    return;
  }
  item = template.content.firstElementChild.cloneNode(true);
  fill(item, sms);
  answerable(item);
  const before = [...list.children].find((each) => Number(each.dataset.number) > sms.number);
  list.insertBefore(item, before ?? null);
  while (list.children.length > most) list.firstElementChild.remove();
  phone.querySelector(".nothing").hidden = true;
  down(phone);
}

// A received SMS is answered to the number that it came from.
function answerable(item) {
  const button = item.querySelector(".reply");
  button.hidden = !item.classList.contains("in");
  button.addEventListener("click", () => {
    const { to, text } = item.closest(".phone").querySelector("form").elements;
    to.value = item.querySelector(".other").textContent;
    text.focus();
  });
}

function down(phone) {
  const screen = phone.querySelector(".screen");
  screen.scrollTop = screen.scrollHeight;
}

async function send(form) {
  const fault = form.querySelector(".fault");
  const button = form.querySelector("button");
  const body = JSON.stringify({ to: form.elements.to.value, text: form.elements.text.value });
  fault.textContent = "";
  button.disabled = true;
  try {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(form.dataset.api, { method: "POST", headers, body });
    const said = await answer.json();
    if (answer.ok) {
      show(said);
      form.elements.text.value = "";
    } else {
      fault.textContent = said.error;
    }
  } catch {
    fault.textContent = words.unreachable;
  } finally {
    button.disabled = false;
    form.elements.text.focus();
  }
}

for (const phone of phones.children) {
  const form = phone.querySelector("form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!form.querySelector("button").disabled) send(form);
  });
  form.elements.text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  phone.querySelectorAll(".sms").forEach(answerable);
  down(phone);
}

let known = "";
// After a restart the gateway has forgotten the SMS of its phones, and their numbers count anew.
function begin(event) {
  if (known && known !== event.data) {
    for (const phone of phones.children) {
      phone.querySelector("ol").replaceChildren();
      phone.querySelector(".nothing").hidden = false;
    }
  }
  known = event.data;
}

follow(phones.dataset.live, { run: begin, sms: (event) => show(JSON.parse(event.data)) }, state);
