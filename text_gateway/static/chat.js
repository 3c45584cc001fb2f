// The chat page. Comes back after a broken connection or a reload and misses nothing: it keeps the number of the last
// event it has seen and repeats messages that were not answered. Text is only ever set as textContent.

const log = document.getElementById("log");
const state = document.getElementById("state");
const choices = document.getElementById("choices");
const form = document.getElementById("form");
const field = document.getElementById("text");
const again = document.getElementById("again");
const STORE = "hotline-chat";
const RETRY_MS = [500, 1000, 2000, 5000, 10000];

let chat = null; // {session, token, seen, next_turn, pending: [{turn, kind, text}]}
let socket = null;
let tries = 0;
const replies = new Map(); // reply_id -> its list item
const drawn = new Set(); // turns of the person that the page shows already
const labels = new Map(); // value of an offered choice -> its label

const save = () => sessionStorage.setItem(STORE, JSON.stringify(chat));
const scroll = () => log.parentElement.scrollTo({ top: log.parentElement.scrollHeight });

function bubble(kind, text) {
  const item = document.createElement("li");
  item.className = kind;
  item.textContent = text;
  log.append(item);
  scroll();
  return item;
}

function offer(list) {
  for (const { label, value } of list) labels.set(value, label);
  choices.replaceChildren(...list.map(({ label, value }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", () => say("button", value, label));
    return button;
  }));
  scroll();
}

const show = {
  welcome(event) {
    tries = 0;
    state.textContent = "已连接";
    chat.next_turn = Math.max(chat.next_turn, event.next_turn);
    for (const message of chat.pending) socket.send(JSON.stringify({ type: "user", ...message }));
  },
  said(event) {
    if (!drawn.has(event.turn)) bubble("user", labels.get(event.text) ?? event.text);
    drawn.add(event.turn);
  },
  transcript(event) {
    log.replaceChildren();
    replies.clear();
    for (const { role, text } of event.items) bubble(role, text);
    const answered = Math.max(0, ...event.items.filter((i) => i.role === "bot").map((i) => i.turn));
    chat.pending = chat.pending.filter((message) => message.turn > answered);
  },
  reply_start(event) {
    offer([]);
    replies.set(event.reply_id, null);
  },
  chunk(event) {
    const item = replies.get(event.reply_id) ?? bubble("bot", "");
    replies.set(event.reply_id, item);
    item.textContent += event.text;
    scroll();
  },
  reply_end(event) {
    const item = replies.get(event.reply_id);
    if (item && event.sources.length) {
      const note = document.createElement("small");
      note.textContent = "来源：" + event.sources.map((s) => s.title).join("；");
      item.append(note);
    }
    offer(event.choices);
    scroll();
  },
  handoff() { bubble("note", "正在为您转接人工客服…"); },
  hang_up() { bubble("note", "本次会话已结束"); finish(); },
  error(event) { bubble("error", event.message); },
  refused(event) {
    bubble("error", event.error.message);
    if (["unauthenticated", "not_found", "forbidden"].includes(event.error.code)) finish();
  },
};

function receive(event) {
  if (event.seq && event.seq <= chat.seen) return;
  if (event.turn && ["reply_end", "error"].includes(event.type)) {
    chat.pending = chat.pending.filter((message) => message.turn !== event.turn);
  }
  show[event.type]?.(event);
  if (event.seq && chat) chat.seen = event.seq;
  if (chat) save();
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/api/v1/sessions/${chat.session}/ws`);
  socket.addEventListener("open", () =>
    socket.send(JSON.stringify({ type: "hello", token: chat.token, seen: chat.seen })));
  socket.addEventListener("message", ({ data }) => receive(JSON.parse(data)));
  socket.addEventListener("close", () => {
    if (!chat) return;
    state.textContent = "连接断开，正在重连…";
    setTimeout(() => chat && connect(), RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
  });
}

async function begin() {
  log.replaceChildren();
  replies.clear();
  drawn.clear();
  again.hidden = true;
  field.disabled = false;
  const kept = sessionStorage.getItem(STORE);
  if (kept) {
    chat = { ...JSON.parse(kept), seen: 0 }; // a reload has an empty page: ask for everything
  } else {
    try {
      const answer = await fetch("/api/v1/sessions", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ channel: "web" }),
      });
      const body = await answer.json();
      if (!answer.ok) throw new Error(body.error.message);
      chat = { session: body.session, token: body.token, seen: 0, next_turn: 1, pending: [] };
    } catch (error) {
      state.textContent = "暂时无法连接客服，请稍后再试";
      again.hidden = false;
      console.error(error);
      return;
    }
  }
  save();
  connect();
  field.focus();
}

function finish() {
  chat = null;
  sessionStorage.removeItem(STORE);
  offer([]);
  field.disabled = true;
  again.hidden = false;
  state.textContent = "已结束";
  socket?.close();
}

function say(kind, text, label = text) {
  if (!chat) return;
  const message = { turn: chat.next_turn++, kind, text };
  chat.pending.push(message);
  save();
  bubble("user", label);
  drawn.add(message.turn);
  offer([]);
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "user", ...message }));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = field.value.trim();
  if (!text) return;
  field.value = "";
  say("text", text);
});
field.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
again.addEventListener("click", begin);
begin();
