"use strict";
const $ = (id) => document.getElementById(id);
const POLL = 500, ALIVE = 60000; // milliseconds between questions, while something is counted and else
const cards = new Map(); // figures by the number of their photo
let visit, base, changes = 0, waiting = 0, sent = 0, timer, latest = 0;

/** An element with a class and text; text is never taken for markup. */
function make(tag, kind, text = "") {
  const made = document.createElement(tag);
  made.className = kind;
  made.textContent = text;
  return made;
}

function tell(sentence) {
  $("told").textContent = sentence;
  $("told").hidden = !sentence;
}

/** Ask the server; null, and a sentence on the page, if it refuses. */
async function ask(path, method = "GET", body) {
  try {
    const reply = await fetch(path, { method, body, headers: { "X-Cellcount": "1" } });
    const content = await reply.json();
    if (reply.ok) return content;
    tell(content.sentence);
  } catch {
    tell("The program that counts does not answer: is it still running, and are you still in its network?");
  }
  return null;
}

async function begin() {
  visit = await ask("visits", "POST");
  if (!visit) return;
  base = `visits/${visit.key}`;
  $("model").textContent = `counts with ${visit.model}`;
  $("limits").textContent = `JPEG, PNG, BMP, TIFF and microscopes' files; up to ${visit.mb} MB each, ${visit.photos} photos.
    They stay on the computer that runs this page, and are deleted when you leave.`;
  $("files").accept = ["image/*", ...visit.endings].join();
  $("threshold").min = visit.least;
  $("threshold").value = $("score").value = visit.threshold.toFixed(2);
  for (const name of visit.chambers) $("chamber").add(new Option(name, name));
  $("table").href = `${base}/counts.csv`;
  $("report").href = `${base}/report.html`;
  $("pictures").href = `${base}/counted.zip`;
}

async function send(files) {
  if (!visit) return;
  tell("");
  waiting += files.length;
  for (const file of files) {
    $("controls").hidden = false;
    doing();
    const query = new URLSearchParams({ name: file.name, size: file.size });
    const body = file.size > visit.mb * 1e6 ? new Blob() : file;
    const taken = await ask(`${base}/photos?${query}`, "POST", body);
    sent += 1;
    if (!taken) tell(`${file.name}: ${$("told").textContent}`);
    await update();
  }
  if (sent >= waiting) waiting = sent = 0;
  update();
}

function doing(shown) {
  const parts = [];
  if (shown && shown.done < shown.numbers.length) {
    parts.push(`Counting ${shown.done + 1} of ${shown.numbers.length}.`);
    if (shown.before) parts.push(`${shown.before} of other visitors before it.`);
    $("bar").max = shown.numbers.length;
    $("bar").value = shown.done;
  }
  if (sent < waiting) parts.unshift(`Sending ${sent + 1} of ${waiting}.`);
  $("doing").textContent = parts.join(" ");
  $("progress").hidden = !parts.length;
}

async function update(shown) {
  clearTimeout(timer);
  const mine = ++latest;
  shown ??= await ask(`${base}?since=${changes}`);
  if (mine !== latest) return; // a later question was asked meanwhile
  if (shown) show(shown);
  const busy = shown && shown.done < shown.numbers.length;
  timer = setTimeout(update, busy ? POLL : ALIVE);
}

function show(shown) {
  changes = shown.changes;
  const there = new Set(shown.numbers);
  for (const [number, card] of cards) {
    if (!there.has(number)) { card.remove(); cards.delete(number); }
  }
  for (const photo of shown.photos) {
    if (!cards.has(photo.number)) {
      cards.set(photo.number, make("figure", ""));
      $("photos").append(cards.get(photo.number));
    }
    fill(cards.get(photo.number), photo);
  }
  for (const name of shown.channels) {
    if (![...$("channel").options].some((one) => one.value === name)) $("channel").add(new Option(name, name));
  }
  $("channels").hidden = !shown.channels.length;
  sum(shown.total);
  doing(shown);
}

function sum(total) {
  $("total").hidden = !total;
  if (!total) return;
  const many = total.photos === 1 ? "1 photo" : `${total.photos} photos`;
  const lines = [`${total.cells} cells on ${many}, ${total.mean} on each`];
  for (const [name, share] of Object.entries(total.shares)) lines.push(`${name}: ${share} of the cells`);
  if (total.flagged) lines.push(`${total.flagged} of ${many} unlike those learned from: look at them`);
  $("sums").replaceChildren(...lines.map((line) => make("p", "", line)));
  if (total.concentration) {
    $("sums").append(make("p", "count", total.concentration));
    $("sums").append(make("p", "hint", "All photos are taken as of one sample. Crop photos to the squares: cells beyond the lines are counted too."));
  }
}

function fill(card, photo) {
  card.dataset.state = photo.state;
  const remove = make("button", "remove", "×");
  remove.title = remove.ariaLabel = `Remove ${photo.name}`;
  remove.onclick = async () => { await ask(`${base}/photos/${photo.number}`, "DELETE"); update(); };
  const parts = [make("p", "name", photo.name)];
  if (photo.state === "counted") parts.push(...counted(card, photo));
  else if (photo.state === "failed") parts.push(make("p", "failed", "not counted"), make("p", "", photo.why));
  else parts.push(make("p", "hint", photo.state === "counting" ? "is being counted ..." : "waits"));
  card.replaceChildren(...parts, remove);
}

function counted(card, photo) {
  const picture = boxed(card, photo);
  const count = make("p", "count", photo.n === 1 ? "1 cell " : `${photo.n} cells `);
  count.dataset.n = photo.n;
  if (photo.low !== null) count.append(make("small", "", `${photo.low} to ${photo.high}`));
  const parts = [picture, count];
  for (const one of photo.classes.filter((some) => some.name)) {
    const line = make("p", "kind");
    line.style.color = one.colour;
    line.append(make("span", "", `${one.name} ${one.number}`));
    parts.push(line);
  }
  if (photo.concentration) parts.push(make("p", "", photo.concentration));
  if (photo.without_box > 0) parts.push(make("p", "hint", `${photo.without_box} more than boxes`));
  if (photo.trust === "ok") parts.push(make("p", "hint", "like the photos learned from"));
  if (photo.trust === "look") parts.push(make("p", "look", `look: ${photo.reasons.join(", ")}`));
  return parts;
}

/** The photo with its boxes; the picture that is there already stays, and only boxes change. */
function boxed(card, photo) {
  let picture = card.querySelector(".picture");
  const [width, height] = photo.size;
  if (!picture) {
    picture = make("button", "picture");
    const image = make("img", "");
    [image.width, image.height, image.loading, image.alt] = [width, height, "lazy", photo.name];
    image.src = `${base}/photos/${photo.number}/picture.jpg`;
    picture.append(image);
    picture.title = "Enlarge";
    picture.onclick = () => {
      $("large").lastElementChild.replaceChildren(picture.cloneNode(true));
      $("large").showModal();
    };
  }
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  for (const one of photo.classes) {
    for (const [left, top, right, bottom] of one.boxes) {
      const box = document.createElementNS(svg.namespaceURI, "rect");
      const put = { x: left, y: top, width: right - left, height: bottom - top, stroke: one.colour };
      for (const [name, value] of Object.entries(put)) box.setAttribute(name, value);
      svg.append(box);
    }
  }
  picture.querySelector("svg")?.remove();
  picture.append(svg);
  return picture;
}

function asked() {
  const number = (id) => ($(id).value === "" ? null : Number($(id).value));
  const chosen = $("chamber").value, volume = chosen === "volume";
  return {
    threshold: $("own").checked ? null : number("threshold"),
    channel: $("channel").value || null,
    chamber: chosen && !volume ? chosen : null,
    squares: number("squares"),
    volume_ul: volume ? number("volume") : null,
    dilution: number("dilution"),
    pipetting_cv: number("pipetting"),
  };
}

let settling = false, settled = true;
/** Tell the server what is asked; of what is asked while it answers, the last is told next. */
async function settle() {
  const chosen = $("chamber").value;
  $("volumes").hidden = chosen !== "volume";
  $("squared").hidden = !chosen || chosen === "volume";
  $("sampled").hidden = !chosen;
  if ($("own").checked) $("threshold").value = visit.threshold;
  $("score").value = Number($("threshold").value).toFixed(2);
  settled = false;
  if (settling) return;
  settling = true;
  while (!settled) {
    settled = true;
    tell("");
    const shown = await ask(base, "PUT", JSON.stringify(asked()));
    if (shown) await update(shown);
  }
  settling = false;
}

$("threshold").oninput = () => { $("own").checked = false; settle(); };
for (const id of ["own", "channel", "chamber", "volume", "squares", "dilution", "pipetting"]) $(id).onchange = settle;
$("files").onchange = () => { send([...$("files").files]); $("files").value = ""; };
for (const kind of ["dragover", "drop", "dragleave"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") send([...event.dataTransfer.files]);
  });
}
addEventListener("pagehide", (event) => {
  if (base && !event.persisted) fetch(base, { method: "DELETE", keepalive: true, headers: { "X-Cellcount": "1" } });
});
begin();
